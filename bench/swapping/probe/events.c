// SPDX-License-Identifier: GPL-2.0-only
/*
 * For bench/swap, in the emulated computer only: notes each anonymous page that the kernel writes
 * to swap and each fault that finds one there, with the time and the address it is mapped at, in
 * the order in which they happen. /sys/kernel/debug/swapprobe/events; a write empties it. "faults"
 * beside it is a count of the latter.
 *
 * The index of a private anonymous page is its address when its mapping was never moved.
 */
#include <linux/debugfs.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/vmalloc.h>

#include "events.h"
#include "probe.h"

#define EVENTS_MAX	BIT(20)

static struct swap_event *events;
static atomic_t nr_events;
static u32 nr_faults;
static struct dentry *dir;

static void note(unsigned long address, u64 what)
{
	u32 i = atomic_inc_return(&nr_events) - 1;

	if (i >= EVENTS_MAX)
		return;
	events[i].tsc = rdtsc();
	events[i].what = (address & PAGE_MASK) | what;
}

static int before_write(struct kprobe *p, struct pt_regs *regs)
{
	const struct page *page = (const struct page *)regs->di;

	note(page->index << PAGE_SHIFT, SWAP_EVENT_OUT);
	return 0;
}

static int before_fault(struct kprobe *p, struct pt_regs *regs)
{
	const struct vm_fault *vmf = (const struct vm_fault *)regs->di;

	note(vmf->address, SWAP_EVENT_IN);
	nr_faults++;
	return 0;
}

static struct kprobe probes[] = {
	{ .symbol_name = "swap_writepage", .pre_handler = before_write },
	{ .symbol_name = "do_swap_page", .pre_handler = before_fault },
};

static ssize_t events_read(struct file *file, char __user *to, size_t len, loff_t *pos)
{
	u32 nr = min_t(u32, atomic_read(&nr_events), EVENTS_MAX);

	return simple_read_from_buffer(to, len, pos, events, nr * sizeof(*events));
}

static ssize_t events_write(struct file *file, const char __user *from, size_t len, loff_t *pos)
{
	atomic_set(&nr_events, 0);
	return len;
}

static const struct file_operations events_fops = {
	.owner = THIS_MODULE,
	.read = events_read,
	.write = events_write,
	.llseek = default_llseek,
};

static int __init swapprobe_init(void)
{
	int err, i;

	events = vzalloc(EVENTS_MAX * sizeof(*events));
	if (!events)
		return -ENOMEM;
	for (i = 0; i < ARRAY_SIZE(probes); i++) {
		err = register_kprobe(&probes[i]);
		if (err) {
			pr_err("cannot probe %s: error %d\n", probes[i].symbol_name, err);
			goto undo;
		}
	}
	dir = debugfs_create_dir("swapprobe", NULL);
	err = ageing_init(dir);
	if (err)
		goto undo_dir;
	debugfs_create_file("events", 0600, dir, NULL, &events_fops);
	debugfs_create_u32("faults", 0400, dir, &nr_faults);
	return 0;
undo_dir:
	debugfs_remove(dir);
undo:
	while (i--)
		unregister_kprobe(&probes[i]);
	vfree(events);
	return err;
}

static void __exit swapprobe_exit(void)
{
	int i;

	debugfs_remove(dir);
	for (i = 0; i < ARRAY_SIZE(probes); i++)
		unregister_kprobe(&probes[i]);
	ageing_exit();
	vfree(events);
}

module_init(swapprobe_init);
module_exit(swapprobe_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("What bench/swap asks the kernel of the emulated computer");
