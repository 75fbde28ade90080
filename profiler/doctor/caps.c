// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/io.h"
#include "profiler/doctor/caps.h"

#define PROC_CAP (64 * 1024)

/* Value after "key:\t" at the start of a line, in this base; 0 if there is none. */
static uint64_t field(const char *status, const char *key, int base)
{
	size_t len = strlen(key);

	for (const char *line = status; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, key, len) && line[len] == ':')
			return strtoull(line + len + 1, NULL, base);
	}
	return 0;
}

void caps_parse(struct caps *c, const char *status, const char *uid_map)
{
	unsigned inside = 0, outside = 1, count = 0;

	sscanf(uid_map, "%u %u %u", &inside, &outside, &count);
	*c = (struct caps){
		.effective = field(status, "CapEff", 16),
		.bounding = field(status, "CapBnd", 16),
		.seccomp = field(status, "Seccomp", 10) == 2,
		/* user_namespaces(7): the initial one maps all ids to themselves */
		.initial_userns = inside == 0 && outside == 0 && count == UINT32_MAX,
		.root = geteuid() == 0,
	};
}

int caps_get(struct caps *c)
{
	_cleanup_free_ char *status = NULL, *uid_map = NULL;
	size_t len;
	int err = io_read_file("/proc/self/status", PROC_CAP, &status, &len);

	err = err ?: io_read_file("/proc/self/uid_map", PROC_CAP, &uid_map, &len);
	if (!err)
		caps_parse(c, status, uid_map);
	return err;
}

/* Appends names such as "SYS_PTRACE", each with the prefix. */
static void add_names(struct buf *out, uint64_t mask, const char *prefix)
{
	static const struct {
		const char *name;
		int number;
	} known[] = {
#define X(name, number, use) {#name, number},
		CAPS(X)
#undef X
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (!(mask & 1ull << known[i].number))
			continue;
		buf_printf(out, " %s", prefix);
		for (const char *s = known[i].name; *s; s++)
			buf_char(out, *s >= 'a' && *s <= 'z' ? (char)(*s - 32) : *s);
	}
}

/*
 * Whoever runs a program with these capabilities reads the memory of everybody. So they are for a copy that a group may
 * run, and never for what all may run.
 */
static void add_group_cure(struct buf *out, const char *program)
{
	buf_printf(out,
		   "run kiln as root, or once, as root, for the members of a group, who log in "
		   "again and run " CAPS_COPY ":"
		   "\ngroupadd -f " CAPS_GROUP "\nusermod -aG " CAPS_GROUP " USER"
		   "\ninstall -o root -g " CAPS_GROUP " -m 0750 %s " CAPS_COPY
		   "\nsetcap " CAPS_SETCAP " " CAPS_COPY,
		   program);
}

void caps_cure(const struct caps *c, uint64_t wanted, const char *program, struct buf *out)
{
	uint64_t missing = wanted & ~c->effective;

	if (!c->initial_userns) {
		buf_str(out, "run kiln outside of this user namespace (rootless container): "
			     "capabilities count in the initial one only");
	} else if (!missing) {
		buf_printf(out, "the capabilities are there, so %s refuses",
			   c->seccomp ? "this container's seccomp filter" : "a security module");
	} else if (missing & ~c->bounding) {
		buf_str(out, "the container or unit withholds capabilities. docker run");
		add_names(out, missing, "--cap-add=");
		buf_str(out, "; systemd: CapabilityBoundingSet= with");
		add_names(out, missing, "CAP_");
	} else if (c->root) {
		buf_str(out, "root has given capabilities up: start kiln with");
		add_names(out, missing, "CAP_");
	} else {
		add_group_cure(out, program);
	}
}
