/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Root reads a store as the user whose it is: what lies in a foreign directory cannot misuse root's rights. */
#ifndef KILN_STORE_AS_OWNER_H
#define KILN_STORE_AS_OWNER_H

#include <stdbool.h>
#include <sys/types.h>

#define AS_OWNER_GROUPS_MAX 256

struct as_owner {
	bool is_changed;
	gid_t gid, groups[AS_OWNER_GROUPS_MAX]; /* of before */
	int n_groups;
};

/* For the whole process, until as_owner_end(). It stays what it is where there is no such directory, or it may not
 * change its user; and where the owner cannot reach the directory, as below /root, nor put anything there. */
void as_owner_begin(struct as_owner *a, const char *path);
void as_owner_end(struct as_owner *a);

#endif
