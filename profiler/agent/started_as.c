// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/started_as.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "profiler/base/hash.h"
#include "profiler/base/text.h"

void started_as_forget(struct started_as *s)
{
	memset(s->slots, 0, sizeof(s->slots));
}

void started_as_release(struct started_as *s)
{
	stall_guard_release(&s->guard);
}

static bool is_of_system(const char *exe)
{
	return text_has_prefix(exe, "/usr/") || text_has_prefix(exe, "/bin/") ||
	       text_has_prefix(exe, "/sbin/");
}

struct look {
	struct guarded_job job;
	char file[PATH_MAX], beside[PATH_MAX];
};

/* 1: the same file. */
static int run_look(struct guarded_job *job)
{
	const struct look *l = (struct look *)job;
	struct stat file, other;

	return !stat(l->file, &file) && !stat(l->beside, &other) && file.st_dev == other.st_dev &&
	       file.st_ino == other.st_ino;
}

static void free_look(struct guarded_job *job)
{
	free(job);
}

/* The owner of the paths may be a file server that hangs: then this is not known, until it answers. */
static bool find_out(struct started_as *s, const char *exe, const char *name)
{
	int dir = (int)(strrchr(exe, '/') + 1 - exe), n, m, same = 0;
	struct look *l = stall_guard_stuck(&s->guard) ? NULL : calloc(1, sizeof(*l));

	if (!l)
		return false;
	l->job = (struct guarded_job){run_look, free_look};
	n = snprintf(l->file, sizeof(l->file), "%s%s", s->root, exe);
	m = snprintf(l->beside, sizeof(l->beside), "%s%.*s%s", s->root, dir, exe, name);
	if (n > 0 && (size_t)n < sizeof(l->file) && m > 0 && (size_t)m < sizeof(l->beside) &&
	    !stall_guard_run(&s->guard, &l->job, &same))
		return false;
	free(l);
	return same > 0;
}

bool started_as_is(struct started_as *s, const char *exe, const char *name)
{
	uint64_t hash = hash_bytes(exe, strlen(exe), hash_bytes(name, strlen(name), 0)) | 1;
	struct started_as_slot *slot = &s->slots[(hash >> 1) % STARTED_AS_SLOTS];

	if (!*name || strchr(name, '/') || !is_of_system(exe))
		return false;
	if (slot->hash != hash)
		*slot = (struct started_as_slot){hash, find_out(s, exe, name)};
	return slot->same;
}
