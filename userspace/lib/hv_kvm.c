// SPDX-License-Identifier: GPL-2.0-only
/*
 * What /dev/kvm has and /dev/shvm has not: the only file that needs KVM's own header.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

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
