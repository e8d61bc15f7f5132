// SPDX-License-Identifier: GPL-2.0-only
/*
 * What it costs to ask for the accessed bits of a process's pages and to clear them, as reclaim
 * does through the MMU notifiers: /sys/kernel/debug/swapprobe/ageing. A write of struct ageing and
 * as many addresses ages those pages; a read gives struct aged_page for each.
 *
 * The notifiers' own function is not exported; it is found by a probe. What it costs with a
 * callback that does nothing is measured, too, on the caller's address space.
 */
#include <linux/debugfs.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "events.h"
#include "probe.h"

#define PAGES_MAX	16384

typedef int (*age_fn)(struct mm_struct *mm, unsigned long start, unsigned long end);

static age_fn age_pages;
static struct aged_page *aged;
static u32 nr_aged;
static DEFINE_MUTEX(ageing_lock);

/* Locks that the task below takes. */
static struct task_struct *counted_task;
static u32 counted_locks;

static int before_lock(struct kprobe *p, struct pt_regs *regs)
{
	if (current == READ_ONCE(counted_task) && !in_hardirq() && !in_serving_softirq())
		counted_locks++;
	return 0;
}

static struct kprobe lock_probes[] = {
	{ .symbol_name = "_raw_spin_lock", .pre_handler = before_lock },
	{ .symbol_name = "_raw_spin_lock_irqsave", .pre_handler = before_lock },
	{ .symbol_name = "_raw_read_lock", .pre_handler = before_lock },
	{ .symbol_name = "_raw_write_lock", .pre_handler = before_lock },
};

static int count_begin(void)
{
	int i, err;

	for (i = 0; i < ARRAY_SIZE(lock_probes); i++) {
		lock_probes[i].addr = NULL;
		lock_probes[i].flags = 0;
		err = register_kprobe(&lock_probes[i]);
		if (err) {
			while (i--)
				unregister_kprobe(&lock_probes[i]);
			return err;
		}
	}
	return 0;
}

static void count_end(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(lock_probes); i++)
		unregister_kprobe(&lock_probes[i]);
}

/* Reclaim holds the lock of a page table meanwhile, so nothing sleeps. */
static void age_one(struct mm_struct *mm, unsigned long address, struct aged_page *out)
{
	u64 start;

	preempt_disable();
	counted_locks = 0;
	start = rdtsc();
	out->young = age_pages(mm, address, address + PAGE_SIZE);
	out->ticks = rdtsc() - start;
	out->locks = counted_locks;
	preempt_enable();
}

static int no_ageing(struct mmu_notifier *mn, struct mm_struct *mm, unsigned long start,
		     unsigned long end)
{
	return 0;
}

static const struct mmu_notifier_ops no_ops = {
	.clear_flush_young = no_ageing,
};

/* The callers' own pages instead, by a callback that does nothing. */
static int age_nothing(const u64 *address, u32 nr)
{
	struct mmu_notifier none = { .ops = &no_ops };
	u32 i;
	int err;

	err = mmu_notifier_register(&none, current->mm);
	if (err)
		return err;
	for (i = 0; i < nr; i++)
		age_one(current->mm, address[i], &aged[i]);
	mmu_notifier_unregister(&none, current->mm);
	return 0;
}

static int age_process(u32 pid, const u64 *address, u32 nr)
{
	struct task_struct *task;
	struct mm_struct *mm;
	u32 i;

	task = get_pid_task(find_vpid(pid), PIDTYPE_PID);
	if (!task)
		return -ESRCH;
	mm = get_task_mm(task);
	put_task_struct(task);
	if (!mm)
		return -ESRCH;
	for (i = 0; i < nr; i++)
		age_one(mm, address[i], &aged[i]);
	mmput(mm);
	return 0;
}

static int age(const struct ageing *what, const u64 *address)
{
	int err;

	if (what->flags & AGEING_NOTHING)
		return age_nothing(address, what->nr);
	if (!(what->flags & AGEING_LOCKS))
		return age_process(what->pid, address, what->nr);
	err = count_begin();
	if (err)
		return err;
	WRITE_ONCE(counted_task, current);
	err = age_process(what->pid, address, what->nr);
	WRITE_ONCE(counted_task, NULL);
	count_end();
	return err;
}

static ssize_t ageing_write(struct file *file, const char __user *from, size_t len, loff_t *pos)
{
	struct ageing what;
	u64 *address;
	int err;

	if (len < sizeof(what) || copy_from_user(&what, from, sizeof(what)))
		return -EFAULT;
	if (what.nr > PAGES_MAX || len != sizeof(what) + what.nr * sizeof(*address))
		return -EINVAL;
	address = vmemdup_user(from + sizeof(what), what.nr * sizeof(*address));
	if (IS_ERR(address))
		return PTR_ERR(address);
	mutex_lock(&ageing_lock);
	err = age(&what, address);
	nr_aged = err ? 0 : what.nr;
	mutex_unlock(&ageing_lock);
	kvfree(address);
	return err ?: len;
}

static ssize_t ageing_read(struct file *file, char __user *to, size_t len, loff_t *pos)
{
	return simple_read_from_buffer(to, len, pos, aged, nr_aged * sizeof(*aged));
}

static const struct file_operations ageing_fops = {
	.owner = THIS_MODULE,
	.read = ageing_read,
	.write = ageing_write,
	.llseek = default_llseek,
};

int ageing_init(struct dentry *dir)
{
	struct kprobe finder = { .symbol_name = "__mmu_notifier_clear_flush_young" };
	int err;

	err = register_kprobe(&finder);
	if (err) {
		pr_err("cannot find %s: error %d\n", finder.symbol_name, err);
		return err;
	}
	age_pages = (age_fn)finder.addr;
	unregister_kprobe(&finder);
	aged = kvcalloc(PAGES_MAX, sizeof(*aged), GFP_KERNEL);
	if (!aged)
		return -ENOMEM;
	debugfs_create_file("ageing", 0600, dir, NULL, &ageing_fops);
	return 0;
}

void ageing_exit(void)
{
	kvfree(aged);
}
