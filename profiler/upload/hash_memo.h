/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Remembers results of SHA-256 (eight bytes of each), which window after window asks for again: the same functions
 * and stacks. What was hashed is not kept; it is told apart by 128 bits that are keyed by random numbers of this
 * process, so that nobody outside can find two that look alike.
 */
#ifndef KILN_UPLOAD_HASH_MEMO_H
#define KILN_UPLOAD_HASH_MEMO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HASH_MEMO_MAX 65536 /* 3 MB; then it begins anew */

struct hash_memo_key {
	uint64_t v[2];
};

/* All-zero: empty. */
struct hash_memo {
	uint64_t seed[2]; /* 0: none yet */
	struct hash_memo_slot {
		struct hash_memo_key key;
		uint64_t value;
	} * slots;
	size_t cap, len;
	uint64_t forgotten; /* results, each time that it was full */
};

/* What two pieces of data are known by. */
struct hash_memo_key hash_memo_key(struct hash_memo *m, const void *a, size_t a_len, const void *b,
				   size_t b_len);
bool hash_memo_find(const struct hash_memo *m, const struct hash_memo_key *key, uint64_t *value);
/* Without memory it is not remembered. */
void hash_memo_add(struct hash_memo *m, const struct hash_memo_key *key, uint64_t value);
void hash_memo_release(struct hash_memo *m);

#endif
