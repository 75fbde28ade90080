/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What demangle_cpp.c (names) and demangle_type.c (types) share; nobody else includes it.
 *
 * Text is written at the head of one buffer, and what a function writes is in one piece. What is said
 * again refers to where it was said first. Text that must stay while the head goes back lies at the
 * other end of the buffer. All functions: false when the name is not one of those that are read here;
 * then all is left as it is.
 */
#ifndef KILN_SYMBOLIZER_SYMBOLS_DEMANGLE_PRIV_H
#define KILN_SYMBOLIZER_SYMBOLS_DEMANGLE_PRIV_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define CPP_TEXT_MAX   16384
#define CPP_SUBS_MAX   192
#define CPP_ARGS_MAX   256
#define CPP_DEPTH_MAX  64
#define CPP_NO_ARGS    (-1)
#define CPP_POISON_ARG (-2)

enum cpp_kind {
	CPP_PLAIN,   /* what modifies it comes behind it */
	CPP_FUNC,    /* "void (int)": at the split, in parentheses */
	CPP_ARRAY,   /* "char [5]": the same */
	CPP_WRAPPED, /* "void (*)(int)": at the split, where there are parentheses */
	CPP_PACK,    /* any number of types, or none */
};

enum cpp_flags {
	CPP_CV = 1,   /* const or volatile itself */
	CPP_REF = 2,  /* is a reference */
	CPP_RREF = 4, /* is an rvalue reference */
	CPP_SCOPED =
		8, /* has a template parameter in it: says something else in another function */
	CPP_POISON = 16, /* was said once for each of a pack */
	CPP_CLASS = 32	 /* a name: more of it may follow */
};

struct cpp_text {
	uint32_t off, split, end; /* in the buffer */
	uint8_t kind, flags;
};

struct cpp_item { /* a substitution, or an argument of a template */
	struct cpp_text text;
	unsigned scope;
	int next, first; /* arguments: the next one; the first one of a pack */
};

struct cpp {
	const char *p, *end;
	uint32_t head, side;
	unsigned n_subs, n_args;
	unsigned depth;
	unsigned scope, n_scopes; /* which encoding template parameters are of */
	int scope_args;		  /* the arguments they stand for, or CPP_NO_ARGS */
	unsigned params;	  /* how many were met */
	unsigned in_lambda;
	bool in_pack;
	unsigned pack_at;	   /* which of a pack a parameter stands for */
	int pack_len;		   /* of the first one that was met, -1: none */
	struct cpp_text last_name; /* what a constructor is called; end 0: unknown */
	struct cpp_item subs[CPP_SUBS_MAX], args[CPP_ARGS_MAX];
	char buf[CPP_TEXT_MAX];
};

struct cpp_name {
	bool is_template, is_structor, is_lambda, is_standard, is_const;
	char ref; /* 'R', 'O' or 0 */
	int args;
};

static inline bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static inline bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static inline bool cpp_take(struct cpp *d, char c)
{
	if (*d->p != c)
		return false;
	d->p++;
	return true;
}

bool cpp_emit(struct cpp *d, const char *s, size_t len);
#define cpp_emit_str(d, s) cpp_emit((d), (s), strlen(s))
bool cpp_emit_number(struct cpp *d, unsigned n);
bool cpp_copy(struct cpp *d, const struct cpp_text *from, struct cpp_text *t);
bool cpp_copy_aside(struct cpp *d, struct cpp_text *t);
bool cpp_move_aside(struct cpp *d, uint32_t start, struct cpp_text *moved);
void cpp_shift(struct cpp *d, uint32_t from, uint32_t to, uint32_t by);
bool cpp_number(struct cpp *d, unsigned *n);
bool cpp_index(struct cpp *d, unsigned *n);

/* params: d->params before t was read. */
bool cpp_add_sub(struct cpp *d, const struct cpp_text *t, unsigned params);
bool cpp_numbered_sub(struct cpp *d, struct cpp_text *t);

bool cpp_name(struct cpp *d, struct cpp_name *n);
bool cpp_type(struct cpp *d, struct cpp_text *t);
/* Types of parameters up to "E" or the end. */
bool cpp_params(struct cpp *d);
/* "<...>", and the first of the arguments. */
bool cpp_template_args(struct cpp *d, int *args);

static inline void cpp_init(struct cpp *d, const char *name)
{
	d->p = name + 2;
	d->end = name + strlen(name);
	d->head = 0;
	d->side = CPP_TEXT_MAX;
	d->n_subs = d->n_args = d->depth = 0;
	d->scope = d->n_scopes = d->params = d->in_lambda = 0;
	d->scope_args = CPP_NO_ARGS;
	d->in_pack = false;
	d->pack_at = 0;
	d->pack_len = -1;
	d->last_name = (struct cpp_text){0};
}

#endif
