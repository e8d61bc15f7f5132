// SPDX-License-Identifier: GPL-2.0-only
/*
 * shvmctl doctor: can this computer run VMs of shvm? Collects findings and prints them.
 */
#include <stdarg.h>
#include <string.h>

#include "doctor.h"

static const char *const verdicts[] = {
	[VERDICT_OK] = "ok",
	[VERDICT_UNKNOWN] = "unknown",
	[VERDICT_WARNING] = "warning",
	[VERDICT_BAD] = "bad",
};

void found(struct findings *f, enum verdict how, const char *what, const char *cure,
	   const char *fmt, ...)
{
	struct finding *one;
	va_list ap;

	if (f->nr == MAX_FINDINGS)
		return;
	one = &f->list[f->nr++];
	*one = (struct finding){ .how = how, .what = what, .cure = cure };
	va_start(ap, fmt);
	vsnprintf(one->text, sizeof(one->text), fmt, ap);
	va_end(ap);
}

bool doctor_read_line(const char *file, char *line, size_t size)
{
	FILE *f = fopen(file, "re");
	bool there;

	if (!f)
		return false;
	there = fgets(line, size, f);
	fclose(f);
	if (there)
		line[strcspn(line, "\n")] = 0;
	return there;
}

static void print_text(const struct findings *f, bool can_run)
{
	size_t i;

	for (i = 0; i < f->nr; i++) {
		const struct finding *one = &f->list[i];

		printf("%-8s %-10s %s\n", verdicts[one->how], one->what, one->text);
		if (one->cure)
			printf("         -> %s\n", one->cure);
	}
	puts(can_run ? "VMs of shvm can run here." : "VMs of shvm cannot run here.");
}

static void print_json(const struct findings *f, bool can_run)
{
	struct json_object *o = json_object_new_object(), *list = json_object_new_array();
	size_t i;

	json_add_bool(o, "can_run", can_run);
	for (i = 0; i < f->nr; i++) {
		const struct finding *one = &f->list[i];
		struct json_object *item = json_object_new_object();

		json_add_text(item, "verdict", verdicts[one->how]);
		json_add_text(item, "what", one->what);
		json_add_text(item, "finding", one->text);
		if (one->cure)
			json_add_text(item, "cure", one->cure);
		json_object_array_add(list, item);
	}
	json_object_object_add(o, "findings", list);
	output_json(o);
}

int cmd_doctor(const struct args *args)
{
	struct findings f = { .nr = 0 };
	bool can_run = true;
	size_t i;

	doctor_cpu(&f);
	doctor_kernel(&f);
	doctor_module(&f);
	for (i = 0; i < f.nr; i++)
		can_run = can_run && f.list[i].how != VERDICT_BAD;
	if (args->json)
		print_json(&f, can_run);
	else
		print_text(&f, can_run);
	return can_run ? CTL_OK : CTL_FAILED;
}
