// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/saturate.h"
#include "profiler/base/text.h"
#include "profiler/cli/share_list.h"
#include "profiler/cli/summary_head.h"
#include "profiler/formats/describe.h"
#include "profiler/profile/activities.h"
#include "profiler/profile/difference.h"
#include "profiler/profile/kernel_entries.h"
#include "profiler/profile/machine_load.h"
#include "profiler/profile/thread_names.h"
#include "profiler/profile/time_kinds.h"
#include "profiler/profile/totals.h"

/* --- the machine --------------------------------------------------------------------------------- */

static void add_cpus(struct buf *out, double cpus)
{
	if (cpus < 0.01)
		buf_str(out, "<0.01");
	else if (cpus > 0.5 && fabs(cpus - round(cpus)) < 0.005 * cpus)
		buf_printf(out, "%.0f", cpus);
	else
		buf_printf(out, "%.*f", cpus < 10 ? 2 : 0, cpus);
}

/* In whole per cents: the load of a machine is not known better. */
static void add_part(struct buf *out, const char *before, double part, const char *what)
{
	const struct share_scale scale = {.whole = 1000000, .n_samples = 999};

	if ((int64_t)(1e6 * part) <= 0)
		return;
	buf_str(out, before);
	share_text(out, &scale, (int64_t)(1e6 * part));
	buf_str(out, what);
}

/* The number of CPUs comes out of clocks, so it is nearly whole; what was used of them need not be. */
static void load_line(struct buf *out, const struct machine_load *l)
{
	buf_printf(out, LINE_TITLE, "Load");
	add_cpus(out, l->used);
	if (l->cpus > 0) {
		buf_printf(out, " of %.0f CPU%s used; the machine was ", fmax(l->cpus, 1),
			   l->cpus < 1.5 ? "" : "s");
		add_part(out, "", 1 - l->idle - l->stolen, " busy");
		add_part(out, l->idle + l->stolen < 0.999999 ? ", " : "", l->idle, " idle");
		if (l->stolen >= 0.005)
			add_part(out, ", ", l->stolen, " taken by its hypervisor");
	} else {
		buf_str(out, " CPUs used");
	}
}

static void add_load(struct buf *out, const struct summary *s, const struct term *t)
{
	struct machine_load load;
	struct buf line = {0};

	if (!machine_load_of(&load, s->p, s->quality))
		return;
	load_line(&line, &load);
	line_wrap(out, buf_cstr(&line), LINE_COLUMNS, t);
	buf_char(out, '\n');
	buf_release(&line);
}

static void add_commands(struct buf *out, const struct commands *c, const struct share_scale *scale,
			 const struct term *t)
{
	struct share_list list;

	share_list_begin(&list, out, scale, t, "Commands");
	for (size_t i = 0; i < c->rows.len; i++) {
		const struct command_sum *row = &c->rows.data[i];
		char note[40] = "";

		if (row->n_processes > 1)
			snprintf(note, sizeof(note), " (%" PRIu32 " processes)", row->n_processes);
		share_list_add(&list, row->name, row->value, note);
	}
	share_list_end(&list);
}

/* Below this, other threads are not worth a line. */
#define MAIN_THREAD 0.95

/* Of one command, what its threads are for, if they have names that say it. */
static int add_threads(struct buf *out, const struct summary *s, const struct share_scale *scale,
		       const struct term *t)
{
	struct share_list list;
	struct thread_names threads;
	int err = thread_names_build(&threads, s->p, s->value);

	if (!err && threads.rows.len > 1 &&
	    (double)threads.rows.data[0].value < MAIN_THREAD * (double)scale->whole) {
		share_list_begin(&list, out, scale, t, "Threads");
		for (size_t i = 0; i < threads.rows.len; i++)
			share_list_add(&list, threads.rows.data[i].name, threads.rows.data[i].value,
				       "");
		share_list_end(&list);
	}
	thread_names_release(&threads);
	return err;
}

/* --- kinds --------------------------------------------------------------------------------------- */

static const char *const kind_titles[TIME_KIND_COUNT] = {
	[TIME_KERNEL] = "kernel",   [TIME_LIBRARY] = "libraries",   [TIME_JIT] = "JIT code",
	[TIME_UNKNOWN] = "unknown", [TIME_LOST] = "lost or missed",
};

/* What is spent on something is told if it is so much of all. */
#define WORTH 0.1

#define PARTS_NAMED  3
#define PART_COLUMNS 20
/* Before the last of them, so that a line of 80 columns has room for all. */
#define NOTE_COLUMNS 47

/* Appends the nth part of a note, "libc.so.6 6 %". False: there is no room for it, or for any more. */
static bool note_part(struct buf *out, size_t n, const char *title, int64_t value,
		      const struct share_scale *scale)
{
	struct buf name = {0};
	bool fits;

	text_add_cut(&name, title, PART_COLUMNS);
	fits = n < PARTS_NAMED &&
	       (!n || text_columns(buf_cstr(out)) + text_columns(buf_cstr(&name)) <= NOTE_COLUMNS);
	if (fits) {
		buf_printf(out, "%s%s ", n ? ", " : " (", buf_cstr(&name));
		share_text(out, scale, value);
	}
	buf_release(&name);
	return fits;
}

/* " (libc.so.6 6 %, libm.so.6 2 %)", if there are several. */
static void note_libraries(struct buf *out, const struct time_kinds *kinds,
			   const struct share_scale *scale)
{
	size_t n = 0;

	for (size_t i = 0; i < kinds->parts.len; i++) {
		const struct time_part *part = &kinds->parts.data[i];

		if (part->kind != TIME_LIBRARY || !part->self)
			continue;
		if (!note_part(out, n, part->module, part->self, scale))
			break;
		n++;
	}
	buf_str(out, n ? ")" : "");
}

/* Of the kernel's time. */
#define ENTRY_WORTH 0.1

/* " (openat 12 %, page faults 5 %)", where the kernel has a good part of the time. */
static void note_kernel(struct buf *out, const struct kernel_entries *entries, int64_t kernel,
			const struct share_scale *scale)
{
	size_t n = 0;

	if (kernel < 0 || (double)kernel < WORTH * (double)scale->whole)
		return;
	for (; n < entries->rows.len; n++) {
		const struct kernel_entry *row = &entries->rows.data[n];

		if ((double)row->value < ENTRY_WORTH * (double)kernel ||
		    !note_part(out, n, row->name, row->value, scale))
			break;
	}
	buf_str(out, n ? ")" : "");
}

static const char *first_library(const struct time_kinds *kinds, size_t *n)
{
	const char *first = NULL;

	*n = 0;
	for (size_t i = 0; i < kinds->parts.len; i++) {
		const struct time_part *part = &kinds->parts.data[i];

		if (part->kind != TIME_LIBRARY || !part->self)
			continue;
		first = first ?: part->module;
		(*n)++;
	}
	return first;
}

static void add_kind(struct share_list *list, const struct time_kinds *kinds,
		     const struct kernel_entries *entries, enum time_kind kind)
{
	const char *title = kind_titles[kind];
	struct buf note = {0};
	size_t n = 0;

	if (kind == TIME_LIBRARY) {
		const char *only = first_library(kinds, &n);

		if (n > 1)
			note_libraries(&note, kinds, &list->scale);
		else if (only)
			title = only;
	}
	if (kind == TIME_KERNEL)
		note_kernel(&note, entries, kinds->of[kind], &list->scale);
	share_list_add(list, title, kinds->of[kind], buf_cstr(&note));
	buf_release(&note);
}

/* Where two profiles do not differ. */
static bool has_kinds(const struct time_kinds *kinds)
{
	for (int k = 0; k < TIME_KIND_COUNT; k++)
		if (kinds->of[k])
			return true;
	for (size_t i = 0; i < kinds->parts.len; i++)
		if (kinds->parts.data[i].self)
			return true;
	return false;
}

/* More would not fit into the line. */
#define ALIASES_MAX 4

/* With what it is called, where that is not its file's name. */
static void add_program(struct share_list *list, const struct summary *s,
			const struct commands *commands, const struct time_part *program, size_t n)
{
	struct buf note = {0};

	if (n < ALIASES_MAX)
		processes_add_alias(&note, &commands->processes, s->p, program->module);
	share_list_add(list, program->module, program->self, buf_cstr(&note));
	buf_release(&note);
}

/* Kinds in the order of their weight; each program is one of its own. */
static void add_kinds(struct buf *out, const struct summary *s, const struct commands *commands,
		      const struct time_kinds *kinds, const struct kernel_entries *entries,
		      const struct share_scale *scale, const struct term *t)
{
	bool done[TIME_KIND_COUNT] = {0};
	struct share_list list;
	size_t at = 0, programs = 0;

	share_list_begin(&list, out, scale, t, "By kind");
	for (;;) {
		const struct time_part *program = NULL;
		int best = -1;

		while (at < kinds->parts.len && kinds->parts.data[at].kind != TIME_PROGRAM)
			at++;
		if (at < kinds->parts.len)
			program = &kinds->parts.data[at];
		for (int k = 0; k < TIME_KIND_COUNT; k++)
			if (k != TIME_PROGRAM && !done[k] && kinds->of[k] &&
			    (best < 0 || compare_sizes(kinds->of[k], kinds->of[best]) < 0))
				best = k;
		if (program && (best < 0 || compare_sizes(program->self, kinds->of[best]) <= 0)) {
			add_program(&list, s, commands, program, programs++);
			at++;
		} else if (best >= 0) {
			add_kind(&list, kinds, entries, (enum time_kind)best);
			done[best] = true;
		} else {
			break;
		}
	}
	share_list_end(&list);
}

/* --- what it is spent on -------------------------------------------------------------------------- */

/* Heaviest first. These overlap, so there is no rest. */
static int add_activities(struct buf *out, const struct summary *s, const struct share_scale *scale,
			  const struct term *t)
{
	int64_t sums[ACTIVITY_COUNT];
	struct share_list list;
	bool begun = false;
	int err = activities_sum(sums, s->p, s->value);

	while (!err) {
		int best = 0;

		for (int a = 1; a < ACTIVITY_COUNT; a++)
			if (compare_sizes(sums[a], sums[best]) < 0)
				best = a;
		if ((double)size_of_number(sums[best]) < WORTH * (double)scale->whole)
			break;
		if (!begun)
			share_list_begin(&list, out, scale, t, "Spent on");
		begun = true;
		share_list_add(&list, activity_title((enum activity)best), sums[best], "");
		sums[best] = 0;
	}
	if (begun)
		share_list_end(&list);
	return err;
}

/* --- a difference -------------------------------------------------------------------------------- */

static void add_side(struct buf *line, const char *before, size_t n, const char *did,
		     const struct measure *m, int64_t sum)
{
	char text[32];

	buf_printf(line, "%s%s function%s %s by ", before, text_format_count(n, text, sizeof(text)),
		   n == 1 ? "" : "s", did);
	measure_add_value(line, m, sum);
}

/* Which way, and by how much: what functions gained and lost of their own cancels out in the total. */
static int add_change(struct buf *out, const struct summary *s, const struct term *t)
{
	struct difference d;
	struct buf line = {0};
	struct measure m;
	char count[32];
	int err;

	if (!profile_is_difference(s->p, s->value))
		return 0;
	err = difference_of(&d, s->p, s->value);
	measure_of(&m, s->p, s->value);
	buf_printf(&line, LINE_TITLE, "Change");
	if (d.n_grew || d.n_less) {
		add_side(&line, "", d.n_grew, "grew", &m, d.grew);
		add_side(&line, ", ", d.n_less, "shrank", &m, saturating_difference(0, d.less));
		if (d.n_chance)
			buf_printf(&line, "; %s of them within chance",
				   text_format_count(d.n_chance, count, sizeof(count)));
		buf_str(&line, d.has_base ? "; shares are of the base"
					  : "; shares are of both together, without signs");
	} else {
		buf_str(&line, "no function has more or less time of its own");
	}
	line_wrap(out, buf_cstr(&line), LINE_COLUMNS, t);
	buf_char(out, '\n');
	buf_release(&line);
	return err;
}

int summary_head_of(struct buf *out, const struct summary *s, const struct commands *commands,
		    const struct term *t)
{
	struct share_scale of = share_scale_of(s->p, s->value), *scale = &of;
	struct kernel_entries entries = {0};
	struct time_kinds kinds;
	int err = time_kinds_build(&kinds, s->p, s->value)
			  ?: kernel_entries_build(&entries, s->p, s->value);

	if (!err && scale->whole) {
		err = add_change(out, s, t);
		add_load(out, s, t);
		if (commands_named(commands) > 1)
			add_commands(out, commands, scale, t);
		else if (!profile_is_difference(s->p, s->value))
			err = err ?: add_threads(out, s, scale, t);
		if (has_kinds(&kinds))
			add_kinds(out, s, commands, &kinds, &entries, scale, t);
		err = err ?: add_activities(out, s, scale, t);
	}
	kernel_entries_release(&entries);
	time_kinds_release(&kinds);
	return err ?: out->err;
}

int summary_head(struct buf *out, const struct summary *s, const struct term *t)
{
	struct commands commands;
	int err =
		commands_build(&commands, s->p, s->value) ?: summary_head_of(out, s, &commands, t);

	commands_release(&commands);
	return err;
}
