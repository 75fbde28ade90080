/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of functions in few columns. They have no return type, unless room is endless. A name that does not fit loses what
 * tells least first: packages and namespaces of types in brackets, parameters and then arguments of templates from the
 * inside ("f<vector<...>>(...)"), these brackets, and components from the left. Its last component stays; only that is cut
 * in its middle ("..") if nothing else is left. Names that would look the same get back what tells them apart, and
 * arguments rather than namespaces.
 */
#ifndef KILN_PROFILE_SHORT_NAME_H
#define KILN_PROFILE_SHORT_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buf.h"

/* Appends a clean name in at most `columns` columns. Linear in its length; errors as of any buf. */
void short_name(struct buf *out, const char *name, size_t columns);

/* Appends a name without return type, parameters and arguments; is_own: its last component alone. */
void short_name_bare(struct buf *out, const char *name, bool is_own);

/* Bytes of a name that must be seen. */
struct short_name_keep {
	uint32_t from, to;
	uint32_t at; /* the first byte that matters, in 0..to */
};
#define SHORT_NAME_KEEPS 4

struct short_name {
	const char *name;   /* borrowed, clean */
	const char *suffix; /* borrowed; follows in any case, and counts; "" for none */
	bool is_plain;	    /* no function's: it is only cut */
	/* Of short_names(): */
	char *text;
	uint32_t
		type; /* bytes of a return type: what tells names apart is sought behind it first */
	struct short_name_keep keep[SHORT_NAME_KEEPS]; /* the last is the most important one */
	uint32_t n_keep;
};

/*
 * Sets the text of each name: at most `columns` columns (if they are more than a few) with its
 * suffix, which keeps at most half of them; and the same text only for the same name and suffix.
 * Sorts them a few times. 0 or -ENOMEM; release them in any case. Called again, as for fewer of
 * them in fewer columns, it lets them keep what they have.
 */
int short_names(struct short_name *names, size_t n, size_t columns);
void short_names_release(struct short_name *names, size_t n);

/* As short_name(), with what the name keeps. For short_names(). */
void short_name_keeping(struct buf *out, const struct short_name *s, size_t columns);
/* Bytes of a name's return type, with the blank behind it; 0: none, or memory is out. */
size_t short_name_type(const char *name);

#endif
