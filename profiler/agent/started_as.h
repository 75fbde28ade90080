/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a program was started as. Its file may have another name than people know: /usr/bin/redis-server is a link to
 * redis-check-rdb, python3 to python3.11, sh to dash. The kernel calls a process as it was started until somebody
 * changes that, so the name counts if it is one of the file itself: beside it, and the same file. One thread.
 */
#ifndef KILN_AGENT_STARTED_AS_H
#define KILN_AGENT_STARTED_AS_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/files/stall_guard.h"

#define STARTED_AS_SLOTS 64

struct started_as {	  /* all-zero: nothing is remembered */
	const char *root; /* "", or a directory to look below, for tests; borrowed */
	struct stall_guard guard;
	struct started_as_slot {
		uint64_t hash; /* of both names; 0: free */
		bool same;
	} slots[STARTED_AS_SLOTS];
};

/* Links may change: what was found out counts until then. */
void started_as_forget(struct started_as *s);
void started_as_release(struct started_as *s);
/* Whether `name`, beside the file at the path exe, is that file. Only of paths that are the system's own
 * (/usr, /bin, /sbin), which may be on a file server that hangs: then it is not, after two seconds. */
bool started_as_is(struct started_as *s, const char *exe, const char *name);

#endif
