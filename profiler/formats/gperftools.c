// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gperftools' binary CPU profile (its docs/cpuprofile-fileformat.html): slots of the program's word
 * size and byte order. A header (0, 3, 0, period in us, 0), records (count, depth, addresses, leaf
 * first), a trailer (0, 1, 0), then the text of /proc/self/maps.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/bytes.h"
#include "profiler/base/cleanup.h"
#include "profiler/formats/export.h"
#include "profiler/formats/gperftools.h"

#define HEADER_SLOTS  5
#define MAX_PERIOD_US 1000000000 /* 1,000 s; more is another kind of file */

struct slots {
	struct bytes bytes;
	unsigned size; /* 4 or 8 */
	bool big_endian;
};

struct record {
	size_t first, len; /* in pcs */
	int64_t count;
};

struct map {
	uint64_t start, limit;
	uint32_t mapping; /* in the profile */
};

struct legacy {
	struct profile *p;
	VEC(struct record) records;
	VEC(uint64_t) pcs;
	VEC(struct map) maps;
	VEC(uint32_t) frames; /* scratch */
};

static void legacy_release(struct legacy *l)
{
	profile_free(l->p);
	vec_release(&l->records);
	vec_release(&l->pcs);
	vec_release(&l->maps);
	vec_release(&l->frames);
}

static uint64_t next_slot(struct slots *s)
{
	uint64_t v = bytes_uint(&s->bytes, s->size);

	if (!s->big_endian)
		return v;
	return s->size == 8 ? __builtin_bswap64(v) : __builtin_bswap32((uint32_t)v);
}

/* The slots after the header, and the period, for the one word size and order that fits. */
static bool read_header(const void *data, size_t len, struct slots *out, uint64_t *period_us)
{
	for (unsigned variant = 0; variant < 4; variant++) {
		struct slots s = {bytes_of(data, len), variant & 1 ? 4 : 8, variant & 2};
		uint64_t header[HEADER_SLOTS];

		for (size_t i = 0; i < HEADER_SLOTS; i++)
			header[i] = next_slot(&s);
		if (s.bytes.bad || header[0] || header[1] != 3 || header[2] || header[4])
			continue;
		if (!header[3] || header[3] > MAX_PERIOD_US)
			continue;
		*period_us = header[3];
		*out = s;
		return true;
	}
	return false;
}

bool gperftools_detect(const void *data, size_t len)
{
	struct slots s;
	uint64_t period_us;

	return read_header(data, len, &s, &period_us);
}

static int read_records(struct legacy *l, struct slots *s, const char **why)
{
	while (bytes_left(&s->bytes)) {
		uint64_t count = next_slot(s), depth = next_slot(s);
		struct record r = {l->pcs.len, depth, (int64_t)count};

		if (s->bytes.bad || depth > bytes_left(&s->bytes) / s->size) {
			*why = "truncated gperftools profile";
			return -EBADMSG;
		}
		if (depth > IMPORT_MAX_FRAMES) {
			*why = "a stack is deeper than any real one";
			return -EFBIG;
		}
		if (vec_reserve(&l->pcs, l->pcs.len + depth))
			return -ENOMEM;
		for (uint64_t i = 0; i < depth; i++) {
			uint64_t pc = next_slot(s);

			/* A caller's is a return address, which may be past its function. */
			l->pcs.data[l->pcs.len++] = i ? pc - 1 : pc;
		}
		if (!count && depth == 1 && !l->pcs.data[r.first])
			return 0;
		if (count > INT64_MAX || vec_push(&l->records, r))
			return count > INT64_MAX ? -EBADMSG : -ENOMEM;
	}
	return 0; /* some writers leave the trailer out */
}

/* --- artefacts of the signal handler --------------------------------------------------------------- */

/* Frame 1 of the record, or 0. */
static uint64_t second_frame(const struct legacy *l, const struct record *r)
{
	return r->len > 1 ? l->pcs.data[r->first + 1] : 0;
}

static void drop_second_frame(struct legacy *l, struct record *r)
{
	l->pcs.data[r->first + 1] = l->pcs.data[r->first];
	r->first++;
	r->len--;
}

/*
 * The unwinder starts in the signal handler, the leaf comes from the signal's context: where
 * (nearly, one in 32 may differ) all stacks share their second frame, it is the handler's own, as
 * google/pprof reasons too.
 */
static void drop_handler_frame(struct legacy *l)
{
	size_t n = l->records.len, votes = 0, count = 0;
	uint64_t candidate = 0; /* the only address that can have a majority (Boyer-Moore) */

	for (size_t i = 0; i < n; i++) {
		uint64_t pc = second_frame(l, &l->records.data[i]);

		if (!votes)
			candidate = pc;
		votes = pc == candidate ? votes + 1 : votes - 1;
	}
	for (size_t i = 0; i < n; i++)
		count += second_frame(l, &l->records.data[i]) == candidate;
	if (!candidate || count < n - n / 32)
		return;
	for (size_t i = 0; i < n; i++)
		if (second_frame(l, &l->records.data[i]) == candidate)
			drop_second_frame(l, &l->records.data[i]);
}

/* The leaf may be there twice, from the context and, less one, from the unwinder. */
static void drop_double_leaves(struct legacy *l)
{
	for (size_t i = 0; i < l->records.len; i++) {
		struct record *r = &l->records.data[i];

		if (r->len > 1 && l->pcs.data[r->first] == second_frame(l, r) + 1)
			drop_second_frame(l, r);
	}
}

/* --- mappings ---------------------------------------------------------------------------------------- */

/* "00400000-00fcb000 r-xp 00000000 08:01 42    /bin/x" (proc(5)). 0 too if it is not one. */
static int read_map(struct legacy *l, const char *line)
{
	struct profile_mapping m = {0};
	struct map map;
	char perms[8];
	int end = 0, err;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %*s %*s %n", &m.start, &m.limit,
		   perms, &m.offset, &end) < 4 ||
	    !end || !strchr(perms, 'x'))
		return 0;
	err = profile_string_n(l->p, line + end, strcspn(line + end, "\n"), &m.file);
	err = err ?: profile_mapping(l->p, &m, &map.mapping);
	map.start = m.start;
	map.limit = m.limit;
	return err ?: vec_push(&l->maps, map);
}

static int compare_maps(const void *va, const void *vb)
{
	const struct map *a = va, *b = vb;

	return (a->start > b->start) - (a->start < b->start);
}

static int read_maps(struct legacy *l, const struct bytes *text)
{
	size_t len = bytes_left(text);
	_cleanup_free_ char *copy = strndup((const char *)text->p, len);
	char *save = NULL;
	int err = 0;

	if (!copy)
		return -ENOMEM;
	for (char *line = strtok_r(copy, "\n", &save); !err && line;
	     line = strtok_r(NULL, "\n", &save)) {
		for (size_t n = strlen(line); n && (line[n - 1] == ' ' || line[n - 1] == '\r');)
			line[--n] = '\0';
		err = read_map(l, line);
	}
	if (!err && l->maps.len)
		qsort(l->maps.data, l->maps.len, sizeof(*l->maps.data), compare_maps);
	return err;
}

static int find_mapping(struct legacy *l, uint64_t pc, uint32_t *mapping)
{
	struct profile_mapping everything = {.limit = UINT64_MAX};
	size_t low = 0, high = l->maps.len;

	*mapping = PROFILE_NONE;
	if (!pc)
		return 0;
	while (low < high) {
		size_t middle = (low + high) / 2;

		if (l->maps.data[middle].start <= pc)
			low = middle + 1;
		else
			high = middle;
	}
	if (low && pc < l->maps.data[low - 1].limit) {
		*mapping = l->maps.data[low - 1].mapping;
		return 0;
	}
	/* Go's had no maps at all: one mapping for all, as google/pprof makes it */
	return profile_mapping(l->p, &everything, mapping);
}

/* --- samples ----------------------------------------------------------------------------------------- */

static int add_record(struct legacy *l, const struct record *r, uint32_t labelset)
{
	int64_t values[2] = {r->count};
	uint32_t stack;
	int err = 0;

	if (vec_reserve(&l->frames, r->len))
		return -ENOMEM;
	for (size_t i = 0; !err && i < r->len; i++) {
		uint64_t pc = l->pcs.data[r->first + i];
		uint32_t mapping;

		err = find_mapping(l, pc, &mapping);
		err = err ?: profile_location(l->p, mapping, pc, NULL, 0, &l->frames.data[i]);
	}
	if (__builtin_mul_overflow(r->count, l->p->period, &values[1]))
		values[1] = INT64_MAX;
	err = err ?: profile_stack(l->p, l->frames.data, r->len, &stack);
	return err ?: profile_add(l->p, stack, labelset, values);
}

static int read_all(struct legacy *l, struct slots *s, uint64_t period_us, const char **why)
{
	uint32_t labelset;
	int err = profile_init_cpu(l->p, period_us * 1000);

	err = err ?: profile_labelset(l->p, NULL, 0, &labelset);
	err = err ?: read_records(l, s, why);
	err = err ?: read_maps(l, &s->bytes);
	if (err)
		return err;
	drop_handler_frame(l);
	drop_handler_frame(l); /* and what called it */
	drop_double_leaves(l);
	for (size_t i = 0; !err && i < l->records.len; i++)
		err = add_record(l, &l->records.data[i], labelset);
	return err;
}

int gperftools_read(struct profile **out, const void *data, size_t len, const char **why)
{
	struct legacy l = {.p = profile_new()};
	struct slots s;
	uint64_t period_us;
	int err;

	*why = "malformed gperftools profile";
	if (!l.p)
		err = -ENOMEM;
	else if (!read_header(data, len, &s, &period_us))
		err = -EBADMSG;
	else
		err = read_all(&l, &s, period_us, why);
	if (!err)
		*out = steal_ptr(l.p);
	if (err == -ENOMEM)
		*why = "out of memory";
	legacy_release(&l);
	return err;
}
