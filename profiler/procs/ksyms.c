// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/strtab.h"
#include "profiler/base/text.h"
#include "profiler/base/vec.h"
#include "profiler/procs/ksyms.h"

/* A host that traces a lot has hundreds. At the cap, code that has ended goes first. */
#define KSYMS_MAX 16384
/* Distinct names. A program that is loaded again keeps its name, which has a hash of its code. A
 * name has some 40 bytes, at most 511. */
#define NAMES_MAX	65536
#define NAMES_BYTES_MAX (8u << 20)
/*
 * The end is reported when the last reference goes. A CPU inside the program may run on for an RCU
 * grace period. The code is freed after it.
 */
#define GRACE_NS 1000000000ull

struct ksym {
	uint64_t start, end;
	uint64_t since_ns, until_ns; /* UINT64_MAX: not ended */
	uint32_t name;		     /* in names */
};

struct ksyms {
	VEC(struct ksym) syms; /* sorted by start, then since_ns */
	uint64_t max_len;
	struct strtab *names;
	struct ksyms_stats stats;
};

void ksyms_free(struct ksyms *k)
{
	if (!k)
		return;
	vec_release(&k->syms);
	strtab_free(k->names);
	free(k);
}
DEFINE_CLEANUP(ksyms, ksyms_free)

int ksyms_new(struct ksyms **out)
{
	_cleanup_(ksyms_freep) struct ksyms *k = calloc(1, sizeof(*k));

	if (!k)
		return -ENOMEM;
	k->names = strtab_new();
	if (!k->names)
		return -ENOMEM;
	*out = steal_ptr(k);
	return 0;
}

/* 0, -ENOSPC or -ENOMEM. */
static int intern(struct ksyms *k, const char *name, uint32_t *id)
{
	_cleanup_(buf_release) struct buf clean = {0};

	text_add_clean(&clean, name, strlen(name));
	if (clean.err)
		return clean.err;
	*id = strtab_lookup(k->names, buf_cstr(&clean));
	if (*id != UINT32_MAX)
		return 0;
	if (strtab_count(k->names) >= NAMES_MAX || strtab_bytes(k->names) >= NAMES_BYTES_MAX)
		return -ENOSPC;
	return strtab_add(k->names, buf_cstr(&clean), id);
}

bool ksyms_forget_names(struct ksyms *k)
{
	struct strtab *fresh;
	VEC(uint32_t) ids = {0};
	int err = 0;

	if (strtab_count(k->names) < NAMES_MAX / 2 && strtab_bytes(k->names) < NAMES_BYTES_MAX / 2)
		return false;
	fresh = strtab_new();
	if (!fresh || vec_reserve(&ids, k->syms.len))
		err = -ENOMEM;
	for (size_t i = 0; i < k->syms.len && !err; i++)
		err = strtab_add(fresh, strtab_get(k->names, k->syms.data[i].name), &ids.data[i]);
	for (size_t i = 0; i < k->syms.len && !err; i++)
		k->syms.data[i].name = ids.data[i];
	if (!err) {
		strtab_free(k->names);
		k->names = steal_ptr(fresh);
	}
	strtab_free(fresh);
	vec_release(&ids);
	return !err;
}

const char *ksyms_name(const struct ksyms *k, uint32_t id, const char **module)
{
	static const struct {
		const char *prefix, *module;
	} kinds[] = {
		{"bpf_", "bpf"}, /* programs, trampolines and dispatchers */
		{"ftrace_", "__builtin__ftrace"},
		{"kprobe_", "__builtin__kprobes"},
	};
	const char *name = strtab_get(k->names, id);

	*module = "";
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (text_has_prefix(name, kinds[i].prefix))
			*module = kinds[i].module;
	return name;
}

/* Number of symbols that start at or below addr. */
static size_t up_to(const struct ksyms *k, uint64_t addr)
{
	size_t lo = 0, hi = k->syms.len;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (k->syms.data[mid].start <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

uint32_t ksyms_find(const struct ksyms *k, uint64_t t_ns, uint64_t addr)
{
	const struct ksym *best = NULL;

	for (size_t i = up_to(k, addr); i-- > 0;) {
		const struct ksym *s = &k->syms.data[i];

		if (addr - s->start >= k->max_len)
			break;
		if (addr < s->end && s->since_ns <= t_ns && (!best || s->since_ns > best->since_ns))
			best = s;
	}
	if (!best || (best->until_ns < t_ns && t_ns - best->until_ns > GRACE_NS))
		return KSYM_NONE;
	return best->name;
}

void ksyms_expire(struct ksyms *k, uint64_t before_ns)
{
	size_t kept = 0;

	k->max_len = 0;
	for (size_t i = 0; i < k->syms.len; i++) {
		struct ksym s = k->syms.data[i];

		if (s.until_ns < before_ns)
			continue;
		if (s.end - s.start > k->max_len)
			k->max_len = s.end - s.start;
		k->syms.data[kept++] = s;
	}
	k->syms.len = kept;
}

static int insert(struct ksyms *k, const struct ksym *s)
{
	size_t at;
	int err;

	if (k->syms.len >= KSYMS_MAX)
		ksyms_expire(k, UINT64_MAX);
	err = k->syms.len < KSYMS_MAX ? vec_reserve(&k->syms, k->syms.len + 1) : -ENOSPC;
	if (err)
		return err;
	for (at = up_to(k, s->start); at; at--)
		if (k->syms.data[at - 1].start < s->start ||
		    k->syms.data[at - 1].since_ns <= s->since_ns)
			break;
	memmove(k->syms.data + at + 1, k->syms.data + at, (k->syms.len - at) * sizeof(*s));
	k->syms.data[at] = *s;
	k->syms.len++;
	if (s->end - s->start > k->max_len)
		k->max_len = s->end - s->start;
	return 0;
}

/* Adds a symbol that an event reported, between two times. */
static void add(struct ksyms *k, uint64_t start, uint64_t len, const char *name, uint64_t since_ns,
		uint64_t until_ns)
{
	struct ksym s = {start, start + len, since_ns, until_ns, 0};

	if (len && s.end > start && (intern(k, name, &s.name) ?: insert(k, &s)))
		k->stats.refused++;
}

/* Ends the symbols that overlap new code: their own end event was lost. */
static void end_overlapped(struct ksyms *k, uint64_t t_ns, uint64_t start, uint64_t end)
{
	for (size_t i = up_to(k, end - 1); i-- > 0;) {
		struct ksym *s = &k->syms.data[i];

		if (s->start < start && start - s->start >= k->max_len)
			break;
		if (s->end > start && s->until_ns == UINT64_MAX && s->since_ns < t_ns)
			s->until_ns = t_ns;
	}
}

void ksyms_begin(struct ksyms *k, uint64_t t_ns, uint64_t start, uint64_t len, const char *name)
{
	if (len && start + len > start)
		end_overlapped(k, t_ns, start, start + len);
	add(k, start, len, name, t_ns, UINT64_MAX);
}

void ksyms_end(struct ksyms *k, uint64_t t_ns, uint64_t start, uint64_t len, const char *name)
{
	uint64_t free_since_ns = 0; /* last time at which this place became free */

	for (size_t i = up_to(k, start); i-- > 0 && k->syms.data[i].start == start;) {
		struct ksym *s = &k->syms.data[i];

		if (s->since_ns > t_ns)
			continue;
		if (s->until_ns == UINT64_MAX && s->end - s->start == len) {
			s->until_ns = t_ns;
			return;
		}
		if (s->until_ns <= t_ns) {
			free_since_ns = s->until_ns;
			break;
		}
	}
	add(k, start, len, name, free_since_ns, t_ns);
}

void ksyms_stats(const struct ksyms *k, struct ksyms_stats *out)
{
	*out = k->stats;
	out->known = k->syms.len;
	out->names = strtab_count(k->names);
	out->bytes = k->syms.cap * sizeof(*k->syms.data) + strtab_bytes(k->names);
}
