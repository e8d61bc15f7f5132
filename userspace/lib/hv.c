// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls into the hypervisor device. Decides by the device's capabilities which in-kernel PIC and
 * PIT to use; knows nothing about what runs in the guest.
 */
#include "hv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "diag.h"

#define HV_API_VERSION 12

/* The last pages below 4 GiB; never backed by guest RAM. VT-x needs them for real mode. */
#define HV_IDENTITY_MAP_ADDR 0xfffbc000ULL
#define HV_TSS_ADDR 0xfffbd000ULL

static void hv_die_open(const char *path, int err)
{
	const char *cure = NULL;

	if (err == ENOENT || err == ENXIO || err == ENODEV)
		cure = "is the module loaded? Try: insmod shvm.ko (or modprobe shvm); see dmesg";
	else if (err == EACCES || err == EPERM)
		cure = "the device belongs to root: run as root, or give your group access to it";
	die(cure, "cannot open %s: %s", path, strerror(err));
}

void hv_open(struct hv *hv, const char *path)
{
	int version;

	*hv = (struct hv){ .path = path, .vm_fd = -1, .vcpu_fd = -1 };
	hv->dev_fd = open(path, O_RDWR | O_CLOEXEC);
	if (hv->dev_fd < 0)
		hv_die_open(path, errno);
	version = ioctl(hv->dev_fd, SHVM_GET_API_VERSION, 0);
	if (version < 0)
		die("give /dev/shvm or /dev/kvm to --dev", "%s is not a hypervisor device", path);
	if (version != HV_API_VERSION)
		die("module and launcher must come from the same version of shvm",
		    "%s speaks API version %d, not %d", path, version, HV_API_VERSION);
}

int hv_cap(struct hv *hv, unsigned long cap)
{
	int ret = ioctl(hv->dev_fd, SHVM_CHECK_EXTENSION, cap);

	return ret < 0 ? 0 : ret;
}

static void hv_die_vm(const char *path, int err)
{
	const char *cure = "the kernel log (dmesg) may say more";

	if (err == EBUSY)
		cure = "another hypervisor holds VT-x: end its VMs or unload it (rmmod kvm_intel)";
	else if (err == EOPNOTSUPP || err == ENODEV)
		cure = "the CPU has no VT-x or the firmware has locked it off; see dmesg";
	else if (err == EMFILE || err == ENFILE)
		cure = "too many open files: raise ulimit -n";
	die(cure, "%s cannot create a VM: %s", path, strerror(err));
}

/* Both chips stand on the PC's ports 20, a0, 4d0 (8259 pair), 40-43 and 61 (8254). */
static void hv_chip_create(struct hv *hv)
{
	if (!hv_cap(hv, SHVM_CAP_PIC_PIT)) {
		hv_kvm_chip_create(hv);
		return;
	}
	hv->own_chip = true;
	if (ioctl(hv->vm_fd, SHVM_CREATE_PIC_PIT, 0) < 0)
		die(NULL, "%s cannot create PIC and PIT: %s", hv->path, strerror(errno));
}

void hv_vm_create(struct hv *hv)
{
	u64 identity = HV_IDENTITY_MAP_ADDR;

	hv->vm_fd = ioctl(hv->dev_fd, SHVM_CREATE_VM, 0);
	if (hv->vm_fd < 0)
		hv_die_vm(hv->path, errno);
	if (hv_cap(hv, SHVM_CAP_SET_IDENTITY_MAP_ADDR) &&
	    ioctl(hv->vm_fd, SHVM_SET_IDENTITY_MAP_ADDR, &identity) < 0)
		die(NULL, "%s: SET_IDENTITY_MAP_ADDR: %s", hv->path, strerror(errno));
	if (hv_cap(hv, SHVM_CAP_SET_TSS_ADDR) &&
	    ioctl(hv->vm_fd, SHVM_SET_TSS_ADDR, HV_TSS_ADDR) < 0)
		die(NULL, "%s: SET_TSS_ADDR: %s", hv->path, strerror(errno));
	hv_chip_create(hv);
}

void hv_memory_add(struct hv *hv, u64 gpa, void *host, u64 size)
{
	struct shvm_userspace_memory_region region = {
		.slot = hv->nr_slots++,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)host,
	};

	if (ioctl(hv->vm_fd, SHVM_SET_USER_MEMORY_REGION, &region) < 0)
		die(NULL, "%s refuses %llu MiB of memory at %#llx: %s", hv->path,
		    (unsigned long long)size >> 20, (unsigned long long)gpa, strerror(errno));
}

void hv_shadow_pages_set(struct hv *hv, unsigned int pages)
{
	if (ioctl(hv->vm_fd, SHVM_SET_NR_MMU_PAGES, (unsigned long)pages) < 0)
		die("KVM takes 64 or more", "%s refuses %u shadow pages: %s", hv->path, pages,
		    strerror(errno));
}

void hv_vcpu_create(struct hv *hv)
{
	int size = ioctl(hv->dev_fd, SHVM_GET_VCPU_MMAP_SIZE, 0);

	if (size < (int)sizeof(struct shvm_run))
		die(NULL, "%s: GET_VCPU_MMAP_SIZE gave %d bytes", hv->path, size);
	hv->run_size = size;
	hv->vcpu_fd = ioctl(hv->vm_fd, SHVM_CREATE_VCPU, 0);
	if (hv->vcpu_fd < 0)
		die(NULL, "%s cannot create a vCPU: %s", hv->path, strerror(errno));
	hv->run = mmap(NULL, hv->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, hv->vcpu_fd, 0);
	if (hv->run == MAP_FAILED)
		die(NULL, "%s: cannot map the run page: %s", hv->path, strerror(errno));
}

void hv_irq_set(struct hv *hv, unsigned int gsi, bool level)
{
	struct shvm_irq_level irq = { .irq = gsi, .level = level };

	if (ioctl(hv->vm_fd, SHVM_IRQ_LINE, &irq) < 0)
		die(NULL, "%s: IRQ_LINE %u: %s", hv->path, gsi, strerror(errno));
}

void hv_vcpu_do(struct hv *hv, unsigned long request, void *arg, const char *what)
{
	if (ioctl(hv->vcpu_fd, request, arg) < 0)
		die(NULL, "%s: %s: %s", hv->path, what, strerror(errno));
}

enum hv_run_result hv_run(struct hv *hv)
{
	if (ioctl(hv->vcpu_fd, SHVM_RUN, 0) >= 0)
		return HV_RUN_EXIT;
	if (errno == EINTR || errno == EAGAIN)
		return HV_RUN_KICKED;
	return HV_RUN_FAILED;
}
