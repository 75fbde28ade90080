/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a function's name is made of: brackets, components, and what stands around them. Names of
 * all languages are read by the same rules, for short_name.c. Anything is a name: brackets that do
 * not match are text.
 */
#ifndef KILN_PROFILE_NAME_PARTS_H
#define KILN_PROFILE_NAME_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/vec.h"

/* Each of these is gone through by itself; what is within as many brackets is a name. */
#define NAME_SELF_DEPTH 8

enum name_group_kind {
	GROUP_ARGS, /* parameters or arguments of a template */
	GROUP_NAME, /* a component: "(anonymous namespace)", "{lambda(int)#1}", "<init>" */
	GROUP_SELF, /* Rust's "<T as Trait>" */
};

struct name_group {
	uint32_t open, close; /* of its brackets; close 0: it has none */
	enum name_group_kind kind;
	uint8_t depth; /* of arguments: 1 is within no others, 255 and more are one */
	bool params;   /* parameters, or arguments within them */
};

/* Offsets of bytes. All zero is empty. */
struct name_parts {
	VEC(struct name_group) groups;
	VEC(uint32_t) components; /* where each begins; the last is the function's own */
	uint32_t begin;		  /* after a return type */
	uint32_t end;		  /* of the own component; a tail follows, as " const" */
	uint32_t path;		  /* begin, or after the directories of a Go package */
	uint32_t place,
		file;  /* " /srv/app.js:12" and what follows its directories, or the length */
	bool nameless; /* has only its place */
};

/* Linear in len. 0 or -ENOMEM; release it in any case. */
int name_parts_find(struct name_parts *p, const char *name, size_t len);
void name_parts_release(struct name_parts *p);

/* A byte of an identifier. */
bool name_is_word(char c);
/* Length of C++'s "operator<" and the like at name[at], whose symbols are no brackets; else 0. */
uint32_t name_operator_len(const char *name, uint32_t at);

#endif
