// SPDX-License-Identifier: GPL-2.0-only
/*
 * What /dev/kvm has and /dev/shvm has not: the only file that needs KVM's own header.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/kvm.h>

#include "diag.h"
#include "hv.h"

void hv_kvm_chip_create(struct hv *hv)
{
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };

	if (!hv_cap(hv, KVM_CAP_IRQCHIP) || !hv_cap(hv, KVM_CAP_PIT2))
		die("a newer hypervisor module is needed",
		    "%s has neither SHVM_CAP_PIC_PIT nor KVM_CAP_IRQCHIP and KVM_CAP_PIT2",
		    hv->path);
	if (ioctl(hv->vm_fd, KVM_CREATE_IRQCHIP, 0) < 0)
		die(NULL, "%s cannot create the irqchip: %s", hv->path, strerror(errno));
	if (ioctl(hv->vm_fd, KVM_CREATE_PIT2, &pit) < 0)
		die(NULL, "%s cannot create the PIT: %s", hv->path, strerror(errno));
}

#define KVM_STAT_NAME_MAX 256

/* One counter; histograms are left out. */
static void stat_print(int fd, const struct kvm_stats_header *head, unsigned int index,
		       const char *separator, FILE *out)
{
	union {
		struct kvm_stats_desc desc;
		char bytes[sizeof(struct kvm_stats_desc) + KVM_STAT_NAME_MAX];
	} d = {};
	size_t size = sizeof(d.desc) + head->name_size;
	__u64 value;

	if (pread(fd, &d, size, head->desc_offset + index * size) != (ssize_t)size)
		return;
	if (d.desc.size != 1 ||
	    pread(fd, &value, sizeof(value), head->data_offset + d.desc.offset) != sizeof(value))
		return;
	fprintf(out, "%s%s=%llu", separator, d.desc.name, (unsigned long long)value);
}

static void stats_fd_print(int fd, const char *separator, FILE *out)
{
	struct kvm_stats_header head;
	unsigned int i;

	if (fd < 0)
		return;
	if (pread(fd, &head, sizeof(head), 0) == sizeof(head) &&
	    head.name_size < KVM_STAT_NAME_MAX)
		for (i = 0; i < head.num_desc; i++)
			stat_print(fd, &head, i, separator, out);
	close(fd);
}

void hv_kvm_stats_print(struct hv *hv, const char *separator, FILE *out)
{
	stats_fd_print(ioctl(hv->vm_fd, KVM_GET_STATS_FD, 0), separator, out);
	stats_fd_print(ioctl(hv->vcpu_fd, KVM_GET_STATS_FD, 0), separator, out);
}
