// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/started_as.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "profiler/base/hash.h"
#include "profiler/base/text.h"

void started_as_forget(struct started_as *s)
{
	memset(s->slots, 0, sizeof(s->slots));
}

static bool is_of_system(const char *exe)
{
	return text_has_prefix(exe, "/usr/") || text_has_prefix(exe, "/bin/") ||
	       text_has_prefix(exe, "/sbin/");
}

static bool find_out(const struct started_as *s, const char *exe, const char *name)
{
	char path[PATH_MAX], beside[PATH_MAX];
	struct stat file, other;
	int dir = (int)(strrchr(exe, '/') + 1 - exe);
	int n = snprintf(path, sizeof(path), "%s%s", s->root, exe);
	int m = snprintf(beside, sizeof(beside), "%s%.*s%s", s->root, dir, exe, name);

	if (n < 0 || (size_t)n >= sizeof(path) || m < 0 || (size_t)m >= sizeof(beside))
		return false;
	return !stat(path, &file) && !stat(beside, &other) && file.st_dev == other.st_dev &&
	       file.st_ino == other.st_ino;
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
