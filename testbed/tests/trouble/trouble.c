// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes the trouble that the test machine must notice. Inserted by the test of the test machine
 * with kind=warn, kind=oops or kind=stall.
 */
#include <linux/delay.h>
#include <linux/errno.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/string.h>

static char *kind = "";
module_param(kind, charp, 0);

/*
 * Holds up a grace period for longer than the stall detector waits, which the caller set to 3 s.
 * The thread that drives grace periods has to run meanwhile, on a computer with one CPU too.
 */
static void trouble_stall(void)
{
	int i;

	start_poll_synchronize_rcu();
	rcu_read_lock();
	for (i = 0; i < 8000; i++) {
		mdelay(1);
		cond_resched();
	}
	rcu_read_unlock();
}

static int __init trouble_init(void)
{
	int *nothing = (int *)8;

	if (!strcmp(kind, "warn"))
		WARN_ON(1);
	else if (!strcmp(kind, "oops"))
		WRITE_ONCE(*nothing, 0);
	else if (!strcmp(kind, "stall"))
		trouble_stall();
	else
		return -EINVAL;
	return 0;
}

module_init(trouble_init);
MODULE_DESCRIPTION("Trouble for the test machine to notice");
MODULE_LICENSE("GPL");
