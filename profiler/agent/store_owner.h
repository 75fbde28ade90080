/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whom the store's directory belongs to, and so whom its writer runs as. */
#ifndef KILN_AGENT_STORE_OWNER_H
#define KILN_AGENT_STORE_OWNER_H

struct identity;

/* Where below the store the uploader keeps its places. */
#define STORE_OWNER_CURSORS "upload"

/*
 * Makes the directory if it is missing. In: the user kiln, if there is one and we may become it; out: who is
 * to write there. A new directory is that user's, and so is one of root's that holds nothing but a store. Any
 * other keeps its owner, who is the one to write. 0 or -errno; what is no directory is left for store_open() to
 * say.
 */
int store_owner_prepare(const char *path, struct identity *who);
/* Makes the directory of cursors below it, if it is missing, for who store_owner_prepare() has found; what root left in
 * it is that user's then. -EPERM: the store is another's by now, or it is not ours. 0 or -errno. */
int store_owner_cursors(const char *store, const struct identity *who);

#endif
