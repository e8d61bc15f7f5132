// SPDX-License-Identifier: GPL-2.0-only
/*
 * shvmctl stat: the counters of a VM or vCPU, since its creation or per second.
 */
#include <stdlib.h>

#include "rates.h"
#include "table.h"
#include "vm_json.h"

static const char *const total_titles[] = { "COUNTER", ">VALUE" };
static const char *const rate_titles[] = { "COUNTER", ">PER SECOND" };

/* A list of counters: each reading is printed through one of these. */
struct sink {
	struct table *table;
	struct json_object *json; /* or */
	bool is_rate;
};

static void sink_number(const struct sink *s, const char *key, const char *title, double value,
			bool is_level)
{
	if (s->json && (is_level || !s->is_rate)) {
		json_add_u64(s->json, key, value);
	} else if (s->json) {
		json_object_object_add(s->json, key, json_object_new_double(value));
	} else if (value != 0) {
		table_cell(s->table, "%s", title);
		table_cell(s->table, "%.*f%s", s->is_rate && !is_level, value,
			   s->is_rate && is_level ? " in all" : "");
	}
}

static void add_exits(const struct sink *s, const struct rates *r)
{
	char title[48];
	size_t i;

	sink_number(s, "exits", "exits", r->exits, false);
	if (s->json) {
		json_object_object_add(s->json, "exit", exits_json(r, s->is_rate));
		return;
	}
	for (i = 0; i < CTL_EXIT_REASONS; i++) {
		snprintf(title, sizeof(title), "  %s", name_of_exit(i));
		sink_number(s, NULL, title, r->exit[i], false);
	}
}

static void add_faults(const struct sink *s, const struct rates *r)
{
	struct sink nested = *s;
	char title[48];
	size_t i;

	sink_number(s, "faults", "faults", r->faults, false);
	if (s->json)
		nested.json = json_object_new_object();
	for (i = 0; i < CTL_FAULT_RESULTS; i++) {
		snprintf(title, sizeof(title), "  %s", name_of_fault(i));
		sink_number(&nested, name_of_fault(i), title, r->fault[i], false);
	}
	if (s->json)
		json_object_object_add(s->json, "fault", nested.json);
}

static void add_fields(const struct sink *s, const struct rates *r)
{
	size_t i;

	for (i = 0; i < nr_stats_fields; i++) {
		const struct stats_field *f = &stats_fields[i];

		if (r->there[f->attr])
			sink_number(s, f->key, f->title, r->value[f->attr], f->is_level);
	}
}

static void shadow_json(struct json_object *all, const struct ctl_stats *stats)
{
	struct json_object *list = json_object_new_array();
	size_t i;

	for (i = 0; i < stats->nr_shadow; i++) {
		const struct ctl_shadow *kind = &stats->shadow[i];
		struct json_object *o = json_object_new_object();

		json_add_u64(o, "level", kind->level);
		json_add_text(o, "format", name_of_format(kind->format));
		json_add_bool(o, "direct", kind->direct);
		json_add_u64(o, "pages", kind->pages);
		json_object_array_add(list, o);
	}
	json_object_object_add(all, "shadow", list);
}

static void add_shadow(const struct sink *s, const struct ctl_stats *stats)
{
	char title[64];
	size_t i;

	if (s->json) {
		shadow_json(s->json, stats);
		return;
	}
	for (i = 0; i < stats->nr_shadow; i++) {
		const struct ctl_shadow *kind = &stats->shadow[i];

		snprintf(title, sizeof(title), "shadow level %u, %s%s", kind->level,
			 name_of_format(kind->format), kind->direct ? ", of a large page" : "");
		sink_number(s, NULL, title, kind->pages, true);
	}
}

static void print(const struct args *args, const struct rates *r, const struct ctl_stats *stats,
		  bool is_rate)
{
	struct sink s = { .is_rate = is_rate };

	if (args->json) {
		s.json = json_object_new_object();
		json_add_u64(s.json, "vm", args->vm);
		if (args->has_vcpu)
			json_add_u64(s.json, "vcpu", args->vcpu);
	} else {
		s.table = table_new(is_rate ? rate_titles : total_titles, 2);
	}
	add_exits(&s, r);
	add_faults(&s, r);
	add_fields(&s, r);
	add_shadow(&s, stats);
	if (!args->json)
		table_print(s.table, output_width());
	else if (is_rate)
		output_json_line(s.json);
	else
		output_json(s.json);
}

static void get(struct ctl *ctl, const struct args *args, struct ctl_stats *stats)
{
	int err = ctl_get_stats(ctl, args->vm, args->has_vcpu ? &args->vcpu : NULL, stats);

	if (err)
		ctl_fail(ctl, err, args->vm);
}

static void follow(struct ctl *ctl, const struct args *args)
{
	struct ctl_stats stats[2];
	struct rates rates;
	double then = clock_now(), now;
	unsigned int i;

	get(ctl, args, &stats[0]);
	for (i = 1; !args->count || i <= args->count; i++) {
		sleep_until(then + args->interval);
		get(ctl, args, &stats[i % 2]);
		now = clock_now();
		rates_of(&rates, &stats[(i - 1) % 2], &stats[i % 2], now - then);
		then = now;
		if (i > 1 && !args->json)
			putchar('\n');
		print(args, &rates, &stats[i % 2], true);
		output_flush();
	}
}

int cmd_stat(const struct args *args)
{
	static const struct ctl_stats nothing;
	struct ctl_stats stats;
	struct rates rates;
	struct ctl ctl;

	ctl_open_or_fail(&ctl);
	if (args->interval > 0) {
		follow(&ctl, args);
	} else {
		get(&ctl, args, &stats);
		rates_of(&rates, &nothing, &stats, 1);
		print(args, &rates, &stats, false);
	}
	ctl_close(&ctl);
	return CTL_OK;
}
