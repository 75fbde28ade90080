// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/profile/activities.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/saturate.h"
#include "profiler/profile/frame_role.h"

static const struct {
	const char *name; /* as in frame_name_matches() */
	enum activity activity;
} rules[] = {
	{"__cxa_throw", ACTIVITY_EXCEPTIONS},
	{"__cxa_rethrow", ACTIVITY_EXCEPTIONS},
	{"__cxa_allocate_exception", ACTIVITY_EXCEPTIONS},
	{"__cxa_free_exception", ACTIVITY_EXCEPTIONS},
	{"__cxa_begin_catch", ACTIVITY_EXCEPTIONS},
	{"__cxa_end_catch", ACTIVITY_EXCEPTIONS},
	{"_Unwind_RaiseException*", ACTIVITY_EXCEPTIONS},
	{"_Unwind_Resume*", ACTIVITY_EXCEPTIONS},
	{"_Unwind_Find_FDE", ACTIVITY_EXCEPTIONS},
	{"malloc", ACTIVITY_ALLOCATION},
	{"calloc", ACTIVITY_ALLOCATION},
	{"realloc", ACTIVITY_ALLOCATION},
	{"free", ACTIVITY_ALLOCATION},
	{"cfree", ACTIVITY_ALLOCATION},
	{"__libc_malloc*", ACTIVITY_ALLOCATION},
	{"__libc_calloc", ACTIVITY_ALLOCATION},
	{"__libc_realloc", ACTIVITY_ALLOCATION},
	{"__libc_free*", ACTIVITY_ALLOCATION},
	{"__GI___libc_malloc*", ACTIVITY_ALLOCATION},
	{"__GI___libc_free*", ACTIVITY_ALLOCATION},
	{"_int_malloc", ACTIVITY_ALLOCATION},
	{"_int_free*", ACTIVITY_ALLOCATION},
	{"malloc_consolidate", ACTIVITY_ALLOCATION},
	{"operator new*", ACTIVITY_ALLOCATION},
	{"operator delete*", ACTIVITY_ALLOCATION},
	{"runtime.mallocgc*", ACTIVITY_ALLOCATION},
	{"memcpy*", ACTIVITY_COPYING},
	{"memmove*", ACTIVITY_COPYING},
	{"memset*", ACTIVITY_COPYING},
	{"__memcpy*", ACTIVITY_COPYING},
	{"__memmove*", ACTIVITY_COPYING},
	{"__memset*", ACTIVITY_COPYING},
	{"runtime.memmove*", ACTIVITY_COPYING},
	{"exc_page_fault", ACTIVITY_PAGE_FAULTS},
	{"do_user_addr_fault", ACTIVITY_PAGE_FAULTS},
	{"do_page_fault", ACTIVITY_PAGE_FAULTS},
	{"handle_mm_fault", ACTIVITY_PAGE_FAULTS},
	{"do_futex", ACTIVITY_LOCKS},
	{"native_queued_spin_lock_slowpath", ACTIVITY_LOCKS},
	{"__lll_lock_wait*", ACTIVITY_LOCKS},
	{"___pthread_mutex_lock", ACTIVITY_LOCKS},
	{"__pthread_mutex_lock*", ACTIVITY_LOCKS},
	{"__pthread_mutex_unlock*", ACTIVITY_LOCKS},
	{"__pthread_rwlock_*", ACTIVITY_LOCKS},
	{"__pthread_cond_wait*", ACTIVITY_LOCKS},
	{"pthread_mutex_lock*", ACTIVITY_LOCKS},
	{"pthread_mutex_unlock*", ACTIVITY_LOCKS},
	{"runtime.lock2", ACTIVITY_LOCKS},
	{"runtime.unlock2", ACTIVITY_LOCKS},
	{"runtime.gcBgMarkWorker*", ACTIVITY_GC},
	{"runtime.gcAssistAlloc*", ACTIVITY_GC},
	{"runtime.gcDrain*", ACTIVITY_GC},
	{"runtime.bgsweep", ACTIVITY_GC},
	{"runtime.bgscavenge", ACTIVITY_GC},
	{"v8::internal::Heap::CollectGarbage*", ACTIVITY_GC},
	{"v8::internal::Heap::PerformGarbageCollection*", ACTIVITY_GC},
	{"v8::internal::Scavenger*", ACTIVITY_GC},
	{"v8::internal::ConcurrentMarking*", ACTIVITY_GC},
	{"v8::internal::Sweeper*", ACTIVITY_GC},
	{"G1*", ACTIVITY_GC},
	{"GangWorker::*", ACTIVITY_GC},
	{"ParallelGC*", ACTIVITY_GC},
	{"PSParallel*", ACTIVITY_GC},
	{"GenCollectedHeap::do_collection*", ACTIVITY_GC},
	{"gc_collect_main", ACTIVITY_GC},
	{"gc_marks*", ACTIVITY_GC},
	{"gc_sweep*", ACTIVITY_GC},
};

const char *activity_key(enum activity a)
{
	static const char *const keys[ACTIVITY_COUNT] = {
#define X(name, key, title) key,
		ACTIVITIES(X)
#undef X
	};

	return keys[a];
}

const char *activity_title(enum activity a)
{
	static const char *const titles[ACTIVITY_COUNT] = {
#define X(name, key, title) title,
		ACTIVITIES(X)
#undef X
	};

	return titles[a];
}

static unsigned set_of_name(const char *name)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
		if (*rules[i].name == *name && frame_name_matches(name, rules[i].name))
			return 1u << rules[i].activity;
	return 0;
}

/* Code made at run time has names of its own: a script's free() is none. */
static unsigned set_of_location(const struct profile *p, uint32_t location,
				const uint8_t *of_function)
{
	const struct profile_location *l = &p->locations.data[location];
	enum frame_kind kind = profile_frame_kind(p, location);
	unsigned set = 0;

	for (uint32_t i = 0; i < l->n_lines && kind != FRAME_JIT && kind != FRAME_SYNTHETIC; i++)
		set |= of_function[p->lines.data[l->first_line + i].function];
	return set;
}

int activities_sum(int64_t out[ACTIVITY_COUNT], const struct profile *p, size_t value)
{
	_cleanup_free_ uint8_t *functions = malloc(p->functions.len + 1);
	_cleanup_free_ uint8_t *locations = malloc(p->locations.len + 1);
	_cleanup_free_ uint8_t *stacks = calloc(p->stacks.len + 1, 1);

	memset(out, 0, ACTIVITY_COUNT * sizeof(*out));
	if (!functions || !locations || !stacks)
		return -ENOMEM;
	for (size_t i = 0; i < p->functions.len; i++)
		functions[i] = (uint8_t)set_of_name(profile_text(p, p->functions.data[i].name));
	for (size_t i = 0; i < p->locations.len; i++)
		locations[i] = (uint8_t)set_of_location(p, (uint32_t)i, functions);
	for (size_t i = 0; i < p->stacks.len; i++)
		for (uint32_t k = 0; k < p->stacks.data[i].len; k++)
			stacks[i] |= locations[p->frames.data[p->stacks.data[i].first + k]];
	for (size_t i = 0; i < p->samples.len; i++) {
		const struct profile_sample *s = &p->samples.data[i];

		for (int a = 0; a < ACTIVITY_COUNT; a++)
			if (stacks[s->stack] & 1u << a)
				out[a] = saturating_sum(out[a],
							p->values.data[s->first_value + value]);
	}
	return 0;
}
