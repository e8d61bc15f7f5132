// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads a bzImage and says how to enter it: by the 64-bit boot protocol if the kernel has that
 * entry, else by the 32-bit one (Documentation/x86/boot.rst in the kernel's source). The kernel
 * goes to 1 MiB and unpacks itself to its preferred address; the initramfs goes to the top of low
 * memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <asm/bootparam.h>

#include "../lib/diag.h"
#include "machine.h"

#define HEADER_OFFSET 0x1f1
#define HEADER_END_BYTE 0x201 /* its value + 0x202 is the end of the header */
#define HEADER_MAGIC 0x53726448 /* "HdrS" */
#define BOOT_FLAG 0xaa55
#define PROTOCOL_MIN 0x020a /* the first with pref_address and init_size */
#define PROTOCOL_XLOADFLAGS 0x020c
#define ENTRY_64_OFFSET 0x200 /* the 32-bit entry is the first byte */
#define LOADER_UNKNOWN 0xff
#define E820_RAM 1
#define E820_RESERVED 2
#define E820_ACPI 3
#define SECTOR 512
#define MIB BIT_ULL(20)

#define DEFAULT_CMDLINE "console=ttyS0 nolapic noapic pci=off"

struct file {
	const char *path;
	const u8 *data;
	u64 size;
};

static struct file file_map(const char *path, const char *what)
{
	struct file file = { .path = path };
	struct stat st;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		die(NULL, "cannot open the %s %s: %s", what, path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		die(NULL, "the %s %s is not a regular file", what, path);
	if (!st.st_size)
		die(NULL, "the %s %s is empty", what, path);
	file.size = st.st_size;
	file.data = mmap(NULL, file.size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (file.data == MAP_FAILED)
		die(NULL, "cannot read the %s %s: %s", what, path, strerror(errno));
	close(fd);
	return file;
}

static void file_unmap(struct file *file)
{
	munmap((void *)file->data, file->size);
}

static void die_not_bzimage(const struct file *file)
{
	if (file->size >= 4 && !memcmp(file->data, "\177ELF", 4))
		die("give the compressed image: /boot/vmlinuz-* or arch/x86/boot/bzImage",
		    "%s is an ELF file, not a bzImage", file->path);
	die("give a Linux kernel for x86, such as /boot/vmlinuz-*", "%s is not a bzImage",
	    file->path);
}

static void header_read(const struct file *file, struct setup_header *hdr)
{
	u64 end;

	if (file->size < HEADER_OFFSET + sizeof(*hdr))
		die_not_bzimage(file);
	end = 0x202 + file->data[HEADER_END_BYTE];
	if (end > HEADER_OFFSET + sizeof(*hdr))
		end = HEADER_OFFSET + sizeof(*hdr);
	memset(hdr, 0, sizeof(*hdr));
	memcpy(hdr, file->data + HEADER_OFFSET, end - HEADER_OFFSET);

	if (hdr->boot_flag != BOOT_FLAG || hdr->header != HEADER_MAGIC)
		die_not_bzimage(file);
	if (hdr->version < PROTOCOL_MIN)
		die("Linux 2.6.31 or newer is needed",
		    "%s has boot protocol %d.%02d, too old: it does not say how much memory it needs",
		    file->path, hdr->version >> 8, hdr->version & 0xff);
	if (!(hdr->loadflags & LOADED_HIGH))
		die("give a bzImage", "%s is a zImage, which loads below 1 MiB", file->path);
}

static u64 kernel_load(struct machine *m, const struct file *file, const struct setup_header *hdr,
		       u64 *end)
{
	u64 setup = ((hdr->setup_sects ? hdr->setup_sects : 4) + 1) * SECTOR;
	u64 size = hdr->syssize * 16ULL;
	u64 base = hdr->pref_address > GPA_HIGH ? hdr->pref_address : GPA_HIGH;
	void *to;

	if (setup >= file->size || size > file->size - setup)
		die("copy it again", "%s is truncated: %llu bytes, its header promises %llu",
		    file->path, (unsigned long long)file->size, (unsigned long long)(setup + size));
	*end = base + hdr->init_size;
	if (*end > m->mem.low || GPA_HIGH + size > m->mem.low)
		die("give more with --mem",
		    "too little memory: %llu MiB, this kernel needs %llu MiB to unpack itself",
		    (unsigned long long)(m->mem.size / MIB),
		    (unsigned long long)((*end + MIB - 1) / MIB));
	to = memory_at(m, GPA_HIGH, size);
	memcpy(to, file->data + setup, size);
	return GPA_HIGH;
}

static void initrd_load(struct machine *m, const char *path, u64 kernel_end,
			struct setup_header *hdr)
{
	struct file file = file_map(path, "initrd");
	u64 top = m->mem.low, at;

	if (top > hdr->initrd_addr_max + 1ULL)
		top = hdr->initrd_addr_max + 1ULL;
	at = (top - file.size) & ~0xfffULL;
	if (file.size > top || at < kernel_end)
		die("give more with --mem, or a smaller initrd",
		    "the initrd %s (%llu MiB) does not fit between the kernel and %llu MiB", path,
		    (unsigned long long)((file.size + MIB - 1) / MIB),
		    (unsigned long long)(top / MIB));
	memcpy(memory_at(m, at, file.size), file.data, file.size);
	hdr->ramdisk_image = at;
	hdr->ramdisk_size = file.size;
	file_unmap(&file);
}

static void cmdline_load(struct machine *m, const char *append, struct setup_header *hdr)
{
	char *to = memory_at(m, GPA_CMDLINE, GPA_EBDA - GPA_CMDLINE);
	size_t len = strlen(DEFAULT_CMDLINE) + (append ? 1 + strlen(append) : 0);
	size_t max = hdr->cmdline_size;

	if (max >= GPA_EBDA - GPA_CMDLINE)
		max = GPA_EBDA - GPA_CMDLINE - 1;
	if (len > max)
		die("shorten --append",
		    "the kernel command line has %zu characters, this kernel takes %zu", len, max);
	sprintf(to, "%s%s%s", DEFAULT_CMDLINE, append ? " " : "", append ? append : "");
	hdr->cmd_line_ptr = GPA_CMDLINE;
}

static void e820_add(struct boot_params *bp, u64 start, u64 end, u32 type)
{
	bp->e820_table[bp->e820_entries++] = (struct boot_e820_entry){
		.addr = start,
		.size = end - start,
		.type = type,
	};
}

static void e820_build(struct machine *m, struct boot_params *bp)
{
	e820_add(bp, 0, GPA_EBDA, E820_RAM);
	e820_add(bp, GPA_EBDA, 0xa0000, E820_RESERVED);
	e820_add(bp, GPA_ACPI, GPA_ACPI_END, E820_ACPI);
	e820_add(bp, GPA_ACPI_END, GPA_HIGH, E820_RESERVED);
	e820_add(bp, GPA_HIGH, m->mem.low, E820_RAM);
	if (m->mem.size > m->mem.low)
		e820_add(bp, GPA_4G, GPA_4G + m->mem.size - m->mem.low, E820_RAM);
}

/*
 * Without that flag it is a 32-bit kernel, or a 64-bit one older than the flag: their 32-bit entry
 * changes to long mode itself.
 */
static bool header_has_64bit_entry(const struct setup_header *hdr)
{
	return hdr->version >= PROTOCOL_XLOADFLAGS && (hdr->xloadflags & XLF_KERNEL_64);
}

struct linux_entry linux_load(struct machine *m, const struct linux_boot *boot)
{
	struct file kernel = file_map(boot->kernel, "kernel");
	struct linux_entry entry;
	u64 kernel_end, at;
	struct boot_params *bp;

	bp = memory_at(m, GPA_BOOT_PARAMS, sizeof(*bp));
	memset(bp, 0, sizeof(*bp));
	header_read(&kernel, &bp->hdr);
	at = kernel_load(m, &kernel, &bp->hdr, &kernel_end);
	entry.long_mode = header_has_64bit_entry(&bp->hdr);
	entry.rip = at + (entry.long_mode ? ENTRY_64_OFFSET : 0);
	stage("kernel %s loaded, boot protocol %d.%02d, %s entry", boot->kernel,
	      bp->hdr.version >> 8, bp->hdr.version & 0xff, entry.long_mode ? "64-bit" : "32-bit");
	file_unmap(&kernel);

	bp->hdr.code32_start = at;
	bp->hdr.type_of_loader = LOADER_UNKNOWN;
	bp->hdr.vid_mode = 0xffff;
	cmdline_load(m, boot->append, &bp->hdr);
	if (boot->initrd) {
		initrd_load(m, boot->initrd, kernel_end, &bp->hdr);
		stage("initrd %s loaded, %u KiB at %#x", boot->initrd, bp->hdr.ramdisk_size >> 10,
		      bp->hdr.ramdisk_image);
	}
	e820_build(m, bp);
	return entry;
}
