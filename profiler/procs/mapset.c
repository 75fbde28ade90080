// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/procs/mapset.h"

struct mapset {
	uint32_t refs;
	/* The mappings are m[first .. first + len). There is room at both ends: mmap(2) gives
	 * descending addresses, /proc/PID/maps ascending ones. */
	uint32_t first, len, cap;
	struct proc_mapping m[];
};

static size_t mapset_bytes(const struct mapset *set)
{
	return sizeof(*set) + set->cap * sizeof(set->m[0]);
}

static struct mapset *mapset_new(size_t len, struct space_total *total)
{
	/* A dynamically linked program has some six executable mappings. */
	size_t cap = len < 4 ? 6 : len + len / 2;
	struct mapset *set = malloc(sizeof(*set) + cap * sizeof(set->m[0]));

	if (!set)
		return NULL;
	*set = (struct mapset){
		.refs = 1,
		.first = (uint32_t)((cap - len) / 2),
		.len = (uint32_t)len,
		.cap = (uint32_t)cap,
	};
	total->bytes += mapset_bytes(set);
	total->mappings += len;
	return set;
}

void mapset_unref(struct mapset *set, struct space_total *total)
{
	if (!set || --set->refs)
		return;
	total->bytes -= mapset_bytes(set);
	total->mappings -= set->len;
	free(set);
}

const struct proc_mapping *mapset_get(const struct mapset *set, size_t *n)
{
	*n = set ? set->len : 0;
	return set ? set->m + set->first : NULL;
}

struct mapset *mapset_ref(struct mapset *set)
{
	if (set)
		set->refs++;
	return set;
}

/* Copies the set, with `n` mappings in place of `remove` ones at index `at`. */
static int rebuild(struct mapset **s, size_t at, size_t remove, const struct proc_mapping *with,
		   size_t n, struct space_total *total)
{
	size_t len;
	const struct proc_mapping *old = mapset_get(*s, &len);
	struct mapset *set = mapset_new(len - remove + n, total);
	struct proc_mapping *m;

	if (!set)
		return -ENOMEM;
	m = set->m + set->first;
	if (at)
		memcpy(m, old, at * sizeof(*m));
	if (n)
		memcpy(m + at, with, n * sizeof(*m));
	if (len - at - remove)
		memcpy(m + at + n, old + at + remove, (len - at - remove) * sizeof(*m));
	mapset_unref(*s, total);
	*s = set;
	return 0;
}

/* Moves the shorter side to open or close a gap. False if that side has no room. */
static bool shift(struct mapset *set, size_t at, size_t remove, size_t n)
{
	struct proc_mapping *m = set->m + set->first;
	size_t tail = set->len - at - remove;

	if (at < tail) {
		if (set->first + remove < n)
			return false;
		memmove(m + remove - n, m, at * sizeof(*m));
		set->first = (uint32_t)(set->first + remove - n);
	} else {
		if (set->first + set->len - remove + n > set->cap)
			return false;
		memmove(m + at + n, m + at + remove, tail * sizeof(*m));
	}
	set->len = (uint32_t)(set->len - remove + n);
	return true;
}

int mapset_splice(struct mapset **s, size_t at, size_t remove, const struct proc_mapping *with,
		  size_t n, struct space_total *total)
{
	struct mapset *set = *s;

	if (!set || set->refs > 1 || !shift(set, at, remove, n))
		return rebuild(s, at, remove, with, n, total);
	total->mappings = total->mappings - remove + n;
	if (n)
		memcpy(set->m + set->first + at, with, n * sizeof(*with));
	return 0;
}
