// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fewest ACPI tables with which Linux can power itself off: RSDP, XSDT, FADT, FACS, DSDT.
 * No MADT: the guest stays on the 8259 pair. Field offsets are those of the ACPI specification,
 * 5.2 (tables) and 20.2 (AML).
 */
#include <string.h>

#include "machine.h"

#define ACPI_HEADER 36
#define FADT_LENGTH 244 /* revision 3 */
#define FACS_LENGTH 64

#define AT_RSDP GPA_ACPI
#define AT_XSDT (GPA_ACPI + 0x40)
#define AT_FACS (GPA_ACPI + 0x80)
#define AT_FADT (GPA_ACPI + 0x100)
#define AT_DSDT (GPA_ACPI + 0x200)

#define FADT_FLAG_WBINVD BIT(0)
#define FADT_FLAG_PROC_C1 BIT(2)
#define FADT_FLAG_PWR_BUTTON BIT(4) /* set: there is no fixed power button */
#define FADT_FLAG_SLP_BUTTON BIT(5) /* set: there is no fixed sleep button */
#define FADT_FLAG_FIX_RTC BIT(6) /* set: no RTC wake bit in PM1 */
#define FADT_BOOT_NO_VGA BIT(2)
#define FADT_NO_C2 0x0fff
#define FADT_NO_C3 0x0fff
#define CMOS_CENTURY 0x32
#define GAS_IO 1

/* Name (_S5, Package (4) { 5, 5, 0, 0 }): the SLP_TYP values for PM1a and PM1b. */
static const u8 acpi_aml[] = {
	0x08,		'_',  'S',  '5', '_', 0x12, 0x08, 0x04, 0x0a, PM1_SLP_TYP_S5, 0x0a,
	PM1_SLP_TYP_S5, 0x00, 0x00,
};

static void put16(u8 *p, u16 v)
{
	memcpy(p, &v, sizeof(v));
}

static void put32(u8 *p, u32 v)
{
	memcpy(p, &v, sizeof(v));
}

static void put64(u8 *p, u64 v)
{
	memcpy(p, &v, sizeof(v));
}

static u8 acpi_checksum(const u8 *p, size_t len)
{
	u8 sum = 0;

	while (len--)
		sum += *p++;
	return -sum;
}

static void put_gas(u8 *p, u16 port, u8 bytes)
{
	p[0] = GAS_IO;
	p[1] = bytes * 8;
	p[3] = bytes == 4 ? 2 : bytes; /* access size: the event block is two 16-bit registers */
	put64(p + 4, port);
}

/* The body is in place already: the checksum covers it. */
static void acpi_finish(u8 *p, const char *signature, u8 revision, u32 length)
{
	memcpy(p, signature, 4);
	put32(p + 4, length);
	p[8] = revision;
	memcpy(p + 10, "SHVM  ", 6);
	memcpy(p + 16, "SHVMRUN ", 8);
	put32(p + 24, 1);
	memcpy(p + 28, "SHVM", 4);
	put32(p + 32, 1);
	p[9] = acpi_checksum(p, length);
}

static void fadt_build(u8 *p)
{
	put32(p + 36, AT_FACS);
	put32(p + 40, AT_DSDT);
	put16(p + 46, IRQ_SCI);
	put32(p + 56, PORT_PM1_EVENT);
	put32(p + 64, PORT_PM1_CONTROL);
	p[88] = 4;
	p[89] = 2;
	put16(p + 96, FADT_NO_C2);
	put16(p + 98, FADT_NO_C3);
	p[108] = CMOS_CENTURY;
	put16(p + 109, FADT_BOOT_NO_VGA);
	put32(p + 112, FADT_FLAG_WBINVD | FADT_FLAG_PROC_C1 | FADT_FLAG_PWR_BUTTON |
			       FADT_FLAG_SLP_BUTTON | FADT_FLAG_FIX_RTC);
	put64(p + 132, AT_FACS);
	put64(p + 140, AT_DSDT);
	put_gas(p + 148, PORT_PM1_EVENT, 4);
	put_gas(p + 172, PORT_PM1_CONTROL, 2);
	acpi_finish(p, "FACP", 3, FADT_LENGTH);
}

static void rsdp_build(u8 *p)
{
	memcpy(p, "RSD PTR ", 8);
	memcpy(p + 9, "SHVM  ", 6);
	p[15] = 2;
	put32(p + 20, 36);
	put64(p + 24, AT_XSDT);
	p[8] = acpi_checksum(p, 20);
	p[32] = acpi_checksum(p, 36);
}

void acpi_build(struct machine *m)
{
	u8 *p = memory_at(m, GPA_ACPI, GPA_ACPI_END - GPA_ACPI);

	rsdp_build(p + (AT_RSDP - GPA_ACPI));

	put64(p + (AT_XSDT - GPA_ACPI) + ACPI_HEADER, AT_FADT);
	acpi_finish(p + (AT_XSDT - GPA_ACPI), "XSDT", 1, ACPI_HEADER + 8);

	memcpy(p + (AT_FACS - GPA_ACPI), "FACS", 4);
	put32(p + (AT_FACS - GPA_ACPI) + 4, FACS_LENGTH);
	p[(AT_FACS - GPA_ACPI) + 32] = 1;

	fadt_build(p + (AT_FADT - GPA_ACPI));

	memcpy(p + (AT_DSDT - GPA_ACPI) + ACPI_HEADER, acpi_aml, sizeof(acpi_aml));
	acpi_finish(p + (AT_DSDT - GPA_ACPI), "DSDT", 2, ACPI_HEADER + sizeof(acpi_aml));
}
