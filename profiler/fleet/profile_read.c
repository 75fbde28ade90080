// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/fleet/profile_read.h"

#include <errno.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/hash.h"
#include "profiler/base/text.h"
#include "profiler/clickhouse/ch_schema.h"
#include "profiler/fleet/fields.h"
#include "profiler/fleet/filter.h"
#include "profiler/fleet/profile_sql.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/rates.h"

DEFINE_CLEANUP(profile, profile_free)

/* What an id or a hash stands for in the profile. */
struct known {
	uint64_t id;
	uint32_t a, b; /* of a function: itself and its mapping; of a stack: itself */
};

struct table {
	VEC(struct known) v;
	struct htab index;
};

struct building {
	struct profile *p;
	struct why *why;
	struct table functions, stacks;
	VEC(uint32_t) locations; /* of the stack at hand */
	uint32_t no_stack;	 /* a stack */
	uint32_t no_function;	 /* a location */
	int64_t period_ns;	 /* samples are counted by it; 0: they are not */
	size_t n_types;		 /* of the server's */
	char *types[PROFILE_READ_MAX_TYPES];
	struct buf scratch;
};

static void table_release(struct table *t)
{
	vec_release(&t->v);
	htab_release(&t->index);
}

static void building_release(struct building *b)
{
	table_release(&b->functions);
	table_release(&b->stacks);
	vec_release(&b->locations);
	for (size_t i = 0; i < b->n_types; i++)
		free(b->types[i]);
	buf_release(&b->scratch);
}

struct search {
	const struct table *t;
	uint64_t id;
};

static bool is_id(const void *ctx, uint32_t at)
{
	const struct search *s = ctx;

	return s->t->v.data[at].id == s->id;
}

static const struct known *table_find(const struct table *t, uint64_t id)
{
	struct search s = {t, id};
	uint32_t at = htab_find(&t->index, hash_u64(id), is_id, &s);

	return at == HTAB_NONE ? NULL : &t->v.data[at];
}

static int table_add(struct table *t, const struct known *k)
{
	if (table_find(t, k->id))
		return 0;
	if (t->v.len == UINT32_MAX / 2)
		return -EFBIG;
	return vec_push(&t->v, *k) ?: htab_insert(&t->index, hash_u64(k->id), t->v.len - 1);
}

/* --- functions ------------------------------------------------------------------------------------ */

static int intern(struct building *b, const struct ch_column *c, size_t row, uint32_t *id)
{
	size_t len;
	const char *text = ch_text(c, row, &len);

	return profile_string_n(b->p, text, len, id);
}

enum { F_ID, F_NAME, F_MODULE, F_SOURCE, F_BUILD, F_N };

static int add_function(struct building *b, const struct ch_column *const c[F_N], size_t row)
{
	struct profile_mapping m = {.has_functions = true};
	struct profile_function f = {0};
	struct known k = {.id = ch_uint(c[F_ID], row)};
	int err = intern(b, c[F_MODULE], row, &m.file) ?: intern(b, c[F_BUILD], row, &m.build_id);

	/* How kiln report prints the kernel is not how profiles call it. */
	if (!err && !strcmp(profile_text(b->p, m.file), "[kernel]"))
		err = profile_string(b->p, MAPPING_KERNEL, &m.file);
	/* One module may have many builds in a fleet: it is one module. */
	err = err ?: profile_string(b->p, "", &m.build_id);
	err = err ?: profile_mapping(b->p, &m, &k.b);
	err = err ?: intern(b, c[F_NAME], row, &f.name) ?: intern(b, c[F_SOURCE], row, &f.file);
	f.system_name = f.name;
	err = err ?: profile_function(b->p, &f, &k.a);
	return err ?: table_add(&b->functions, &k);
}

static int add_functions(struct building *b, const struct ch_answer *a)
{
	static const struct field fields[] = {{"id", FIELD_NUMBER},   {"name", FIELD_TEXT},
					      {"module", FIELD_TEXT}, {"source", FIELD_TEXT},
					      {"build", FIELD_TEXT},  {0}};

	for (size_t i = 0; i < a->blocks.len; i++) {
		const struct ch_block *block = &a->blocks.data[i];
		const struct ch_column *c[F_N];
		int err = fields_find(c, block, fields, b->why);

		for (size_t row = 0; row < block->n_rows && !err; row++)
			err = add_function(b, c, row);
		if (err)
			return err;
	}
	return 0;
}

/* --- stacks --------------------------------------------------------------------------------------- */

static int add_frame(struct building *b, uint64_t id, uint64_t line)
{
	const struct known *f = table_find(&b->functions, id);
	struct profile_line l = {.line = (int64_t)line};
	uint32_t location;
	int err;

	if (!f)
		return vec_push(&b->locations, b->no_function);
	l.function = f->a;
	err = profile_location(b->p, f->b, 0, &l, 1, &location);
	return err ?: vec_push(&b->locations, location);
}

enum { S_HASH, S_FUNCS, S_LINES, S_N };

static int add_stack(struct building *b, const struct ch_column *const c[S_N], size_t row)
{
	struct known k = {.id = ch_uint(c[S_HASH], row)};
	size_t n, n_lines, at = ch_array(c[S_FUNCS], row, &n),
			   lines = ch_array(c[S_LINES], row, &n_lines);
	int err = 0;

	b->locations.len = 0;
	for (size_t i = 0; i < n && !err; i++)
		err = add_frame(b, ch_uint(c[S_FUNCS], at + i),
				i < n_lines ? ch_uint(c[S_LINES], lines + i) : 0);
	err = err ?: profile_stack(b->p, b->locations.data, n, &k.a);
	return err ?: table_add(&b->stacks, &k);
}

static int add_stacks(struct building *b, const struct ch_answer *a)
{
	static const struct field fields[] = {
		{"hash", FIELD_NUMBER}, {"funcs", FIELD_NUMBERS}, {"lines", FIELD_NUMBERS}, {0}};

	for (size_t i = 0; i < a->blocks.len; i++) {
		const struct ch_block *block = &a->blocks.data[i];
		const struct ch_column *c[S_N];
		int err = fields_find(c, block, fields, b->why);

		for (size_t row = 0; row < block->n_rows && !err; row++)
			err = add_stack(b, c, row);
		if (err)
			return err;
	}
	return 0;
}

static int add_missing(struct building *b)
{
	uint32_t location;

	return profile_plain_location(b->p, MAPPING_KILN, FRAME_NO_FUNCTION, &b->no_function) ?:
	       profile_plain_location(b->p, MAPPING_KILN, FRAME_NO_STACK, &location) ?:
	       profile_stack(b->p, &location, 1, &b->no_stack);
}

/* --- types ---------------------------------------------------------------------------------------- */

/* "cpu/nanoseconds" among the types, or a new one. */
static int type_index(struct building *b, const char *text, size_t len, size_t *index)
{
	for (size_t i = 0; i < b->n_types; i++)
		if (strlen(b->types[i]) == len && !memcmp(b->types[i], text, len)) {
			*index = i;
			return 0;
		}
	if (b->n_types == PROFILE_READ_MAX_TYPES || memchr(text, '\0', len))
		return why_say(b->why, -EBADMSG, "the answer has more than %d types of values",
			       PROFILE_READ_MAX_TYPES);
	b->types[b->n_types] = strndup(text, len);
	if (!b->types[b->n_types])
		return -ENOMEM;
	*index = b->n_types++;
	return 0;
}

static int compare_types(const void *x, const void *y)
{
	return strcmp(*(char *const *)x, *(char *const *)y);
}

static int find_types(struct building *b, const struct ch_answer *a)
{
	static const struct field fields[] = {{"type", FIELD_TEXT}, {0}};

	for (size_t i = 0; i < a->blocks.len; i++) {
		const struct ch_block *block = &a->blocks.data[i];
		const struct ch_column *c;
		int err = fields_find(&c, block, fields, b->why);

		for (size_t row = 0; row < block->n_rows && !err; row++) {
			size_t len, ignored;
			const char *text = ch_text(c, row, &len);

			err = type_index(b, text, len, &ignored);
		}
		if (err)
			return err;
	}
	qsort(b->types, b->n_types, sizeof(*b->types), compare_types);
	return 0;
}

static int set_types(struct building *b)
{
	int err = 0;

	if (b->n_types == 1 && !strcmp(b->types[0], CH_TYPE_CPU) && b->period_ns > 0)
		return profile_init_cpu(b->p, (uint64_t)b->period_ns);
	b->period_ns = 0;
	for (size_t i = 0; i < b->n_types && !err; i++) {
		char *slash = strchr(b->types[i], '/');
		const char *unit = slash ? slash + 1 : "";

		buf_clear(&b->scratch);
		buf_add(&b->scratch, b->types[i],
			slash ? (size_t)(slash - b->types[i]) : strlen(b->types[i]));
		err = profile_add_sample_type(b->p, buf_cstr(&b->scratch), unit);
		if (!err && !strcmp(b->types[i], CH_TYPE_CPU))
			b->p->default_sample_type = b->p->sample_types.data[i].type;
	}
	return err;
}

/* --- samples -------------------------------------------------------------------------------------- */

#define N_FIELDS (FILTER_N_LABELS + 3)
enum { TYPE = FILTER_N_LABELS, HASH, VALUE };
static const struct field sample_fields[] = {{"l0", FIELD_TEXT},      {"l1", FIELD_TEXT},
					     {"l2", FIELD_TEXT},      {"l3", FIELD_TEXT},
					     {"l4", FIELD_TEXT},      {"l5", FIELD_TEXT},
					     {"type", FIELD_TEXT},    {"hash", FIELD_NUMBER},
					     {"value", FIELD_NUMBER}, {0}};

static int get_labels(struct building *b, const struct ch_column *const c[N_FIELDS], size_t row,
		      uint32_t *labelset)
{
	struct profile_label labels[FILTER_N_LABELS];
	size_t n = 0, len;
	int err = 0;

	for (size_t i = 0; i < FILTER_N_LABELS && !err; i++) {
		const char *text = ch_text(c[i], row, &len);

		if (!len)
			continue;
		labels[n] = (struct profile_label){0};
		err = profile_string(b->p, filter_labels[i].label, &labels[n].key)
			      ?: profile_string_n(b->p, text, len, &labels[n].str);
		err = err ?: profile_string(b->p, "", &labels[n].num_unit);
		n++;
	}
	return err ?: profile_labelset(b->p, labels, n, labelset);
}

/* To the nearest: what is stored is a multiple of the period. */
static int64_t count_of(int64_t value, int64_t period_ns)
{
	return value / period_ns + (value % period_ns > (period_ns - 1) / 2);
}

static int add_sample(struct building *b, const struct ch_column *const c[N_FIELDS], size_t row)
{
	int64_t values[PROFILE_READ_MAX_TYPES] = {0};
	const struct known *stack = table_find(&b->stacks, ch_uint(c[HASH], row));
	int64_t value = ch_int(c[VALUE], row);
	uint32_t labelset;
	size_t len, type;
	const char *text = ch_text(c[TYPE], row, &len);
	int err = type_index(b, text, len, &type) ?: get_labels(b, c, row, &labelset);

	if (err)
		return err;
	if (b->period_ns) {
		values[0] = count_of(value, b->period_ns);
		values[1] = value;
	} else {
		values[type] = value;
	}
	if (b->p->samples.len >= PROFILE_READ_MAX_SAMPLES)
		return why_say(b->why, -EFBIG,
			       "more than %u samples: ask for less time, or one service or host",
			       PROFILE_READ_MAX_SAMPLES);
	return profile_add(b->p, stack ? stack->a : b->no_stack, labelset, values);
}

static int add_samples(struct building *b, const struct ch_answer *a)
{
	for (size_t i = 0; i < a->blocks.len; i++) {
		const struct ch_block *block = &a->blocks.data[i];
		const struct ch_column *c[N_FIELDS];
		int err = fields_find(c, block, sample_fields, b->why);

		for (size_t row = 0; row < block->n_rows && !err; row++)
			err = add_sample(b, c, row);
		if (err)
			return err;
	}
	return 0;
}

int profile_read(struct profile **out, const struct profile_answers *a, int64_t period_ns,
		 struct why *why)
{
	_cleanup_(profile_freep) struct profile *p = profile_new();
	struct building b = {.p = p, .why = why, .period_ns = period_ns};
	int err = p ? find_types(&b, a->samples) : -ENOMEM;

	err = err ?: set_types(&b);
	err = err ?: add_missing(&b);
	err = err ?: add_functions(&b, a->functions);
	err = err ?: add_stacks(&b, a->stacks);
	err = err ?: add_samples(&b, a->samples);
	building_release(&b);
	if (!err)
		*out = steal_ptr(p);
	return err == -ENOMEM ? why_say(why, err, "out of memory") : err;
}

/* --- windows -------------------------------------------------------------------------------------- */

static uint64_t sum(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

enum {
	W_WINDOWS,
	W_BEGIN,
	W_END,
	W_LEAST,
	W_MOST,
	W_LOST,
#define X(name) W_##name,
	PROFILE_QUALITY_COLUMNS(X)
#undef X
		W_N
};

static void add_windows(struct window_sums *w, const struct ch_column *const c[W_N], size_t row)
{
	int64_t begin_ns = ch_int(c[W_BEGIN], row), end_ns = ch_int(c[W_END], row),
		least_ns = ch_int(c[W_LEAST], row), most_ns = ch_int(c[W_MOST], row);

	if (!ch_uint(c[W_WINDOWS], row))
		return;
	w->begin_ns = w->windows && w->begin_ns < begin_ns ? w->begin_ns : begin_ns;
	w->end_ns = w->windows && w->end_ns > end_ns ? w->end_ns : end_ns;
	w->least_period_ns =
		w->windows && w->least_period_ns < least_ns ? w->least_period_ns : least_ns;
	w->most_period_ns = w->most_period_ns > most_ns ? w->most_period_ns : most_ns;
	w->windows = sum(w->windows, ch_uint(c[W_WINDOWS], row));
	w->quality.lost[LOSS_untold] = sum(w->quality.lost[LOSS_untold], ch_uint(c[W_LOST], row));
#define X(name) w->quality.name = sum(w->quality.name, ch_uint(c[W_##name], row));
	PROFILE_QUALITY_COLUMNS(X)
#undef X
}

int window_sums_read(struct window_sums *out, const struct ch_answer *a, struct why *why)
{
	static const struct field fields[] = {{"windows", FIELD_NUMBER},
					      {"begin_at", FIELD_NUMBER},
					      {"end_at", FIELD_NUMBER},
					      {"least_period_ns", FIELD_NUMBER},
					      {"most_period_ns", FIELD_NUMBER},
					      {"all_lost", FIELD_NUMBER},
#define X(name) {"all_" #name, FIELD_NUMBER},
					      PROFILE_QUALITY_COLUMNS(X)
#undef X
						      {0}};

	/* A count has a row, also of nothing: who sends none is no ClickHouse. */
	if (!a->n_rows)
		return why_say(why, -EBADMSG, "an answer is empty that never is");
	for (size_t i = 0; i < a->blocks.len; i++) {
		const struct ch_block *b = &a->blocks.data[i];
		const struct ch_column *c[W_N];
		int err = fields_find(c, b, fields, why);

		if (err)
			return err;
		for (size_t row = 0; row < b->n_rows; row++)
			add_windows(out, c, row);
	}
	return 0;
}

int profile_set_windows(struct profile *p, const struct window_sums *w, const char *where)
{
	int64_t duration_ns;
	struct rates rates = {0};
	int err;

	if (!w->windows)
		return 0;
	p->time_ns = w->begin_ns;
	if (!__builtin_sub_overflow(w->end_ns, w->begin_ns, &duration_ns) && duration_ns > 0)
		p->duration_ns = duration_ns;
	rates_add(&rates, w->least_period_ns, 0, false);
	rates_add(&rates, w->most_period_ns, 0, false);
	err = quality_store(p, &w->quality) ?: rates_store(p, &rates);
	return err || !where ? err : quality_set_where(p, where);
}
