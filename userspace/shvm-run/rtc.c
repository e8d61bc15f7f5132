// SPDX-License-Identifier: GPL-2.0-only
/*
 * CMOS clock on ports 70 and 71: the host's time in UTC, read only; alarms and periodic interrupts
 * never fire. The other bytes are plain memory.
 */
#include <time.h>

#include "machine.h"

#define RTC_STATUS_A 0x0a
#define RTC_STATUS_B 0x0b
#define RTC_STATUS_C 0x0c
#define RTC_STATUS_D 0x0d
#define RTC_CENTURY 0x32

#define STATUS_A_32KHZ 0x26
#define STATUS_B_24H 0x02
#define STATUS_D_VALID 0x80

static u8 bcd(int value)
{
	return value / 10 << 4 | value % 10;
}

static u8 rtc_read(const struct rtc *rtc)
{
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	switch (rtc->index) {
	case 0x00:
		return bcd(tm.tm_sec);
	case 0x02:
		return bcd(tm.tm_min);
	case 0x04:
		return bcd(tm.tm_hour);
	case 0x06:
		return bcd(tm.tm_wday + 1);
	case 0x07:
		return bcd(tm.tm_mday);
	case 0x08:
		return bcd(tm.tm_mon + 1);
	case 0x09:
		return bcd(tm.tm_year % 100);
	case RTC_CENTURY:
		return bcd((tm.tm_year + 1900) / 100);
	case RTC_STATUS_A:
		return STATUS_A_32KHZ; /* no update in progress, ever */
	case RTC_STATUS_B:
		return STATUS_B_24H;
	case RTC_STATUS_C:
		return 0;
	case RTC_STATUS_D:
		return STATUS_D_VALID;
	default:
		return rtc->nvram[rtc->index];
	}
}

u8 rtc_in(struct machine *m, u16 port)
{
	return port & 1 ? rtc_read(&m->rtc) : 0xff;
}

void rtc_out(struct machine *m, u16 port, u8 value)
{
	if (port & 1)
		m->rtc.nvram[m->rtc.index] = value;
	else
		m->rtc.index = value & 0x7f;
}
