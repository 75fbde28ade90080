// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/base/label_regex.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"

/* The end of a bracket expression that begins at s. */
static const char *skip_bracket(const char *s)
{
	s++;
	s += *s == '^';
	s += *s == ']';
	while (*s && *s != ']') {
		if (*s == '[' && (s[1] == ':' || s[1] == '.' || s[1] == '=')) {
			char kind = s[1];

			for (s += 2; *s && !(s[0] == kind && s[1] == ']'); s++)
				;
			s += *s ? 1 : 0;
		}
		s += *s ? 1 : 0;
	}
	return s;
}

/* The larger number of "{m,n}" at s; 1 if there is none. */
static uint64_t repeats(const char *s)
{
	uint64_t most = 1;

	for (s++; *s && *s != '}'; s++) {
		uint64_t n = 0;

		for (; isdigit((unsigned char)*s) && n < LABEL_REGEX_MAX_COST; s++)
			n = n * 10 + (uint64_t)(*s - '0');
		most = n > most ? n : most;
		if (!*s || *s == '}')
			break;
	}
	return most;
}

/* Nodes that glibc makes of an expression, roughly: it copies what is repeated, "+" being "xx*". */
struct cost {
	uint64_t sum[LABEL_REGEX_MAX_GROUPS + 1]; /* of each open group, but for its last atom */
	uint64_t atom;				  /* the last one, of the innermost */
	size_t depth, groups;
	char repeated;	   /* by what the last atom is; 0: not */
	bool repeats_more; /* what is repeated already, but for "*?" and the like */
};

static void begin_atom(struct cost *c, uint64_t nodes)
{
	c->sum[c->depth] += c->atom;
	c->atom = nodes;
	c->repeated = 0;
}

/* A repeat of a repeat costs time that grows with the fourth power of their number, and says no more than one. Who
 * knows Perl writes "*?". */
static void repeat(struct cost *c, char by, uint64_t times, uint64_t more)
{
	c->repeats_more |= c->repeated && (by != '?' || c->repeated == '?');
	c->atom = c->atom * times + more;
	c->repeated = by;
}

static void open_group(struct cost *c)
{
	begin_atom(c, 0);
	if (++c->groups <= LABEL_REGEX_MAX_GROUPS)
		c->sum[++c->depth] = 0;
}

static void close_group(struct cost *c)
{
	c->atom += c->sum[c->depth--] + 1;
	c->repeated = 0;
}

/* Where "{m,n}" ends, so that a repeat behind it applies to the same; s if it is none. */
static const char *skip_repeat(const char *s)
{
	const char *end = s + 1 + strspn(s + 1, "0123456789,");

	return *end == '}' ? end : s;
}

/* One character, or what stands for one; returns where it ends. */
static const char *count_one(struct cost *c, const char *s)
{
	switch (*s) {
	case '(':
		open_group(c);
		return s;
	case ')':
		close_group(c);
		return s;
	case '*':
	case '?':
		repeat(c, *s, 1, 1);
		return s;
	case '+':
		repeat(c, *s, 2, 0);
		return s;
	case '{':
		repeat(c, *s, repeats(s), 0);
		return skip_repeat(s);
	case '[':
		begin_atom(c, 1);
		return skip_bracket(s);
	case '\\':
		begin_atom(c, 1);
		return s[1] ? s + 1 : s;
	default:
		begin_atom(c, 1);
		return s;
	}
}

static int check_cost(const char *text, const char **why)
{
	struct cost c = {0};

	for (const char *s = text; *s; s++) {
		if (*s == '\\' && isdigit((unsigned char)s[1])) {
			*why = "a regular expression with a back-reference";
			return -EINVAL;
		}
		/* POSIX takes it for a character, which it no longer is between other parentheses. */
		if (*s == ')' && !c.depth) {
			*why = "a regular expression with a parenthesis that is not opened";
			return -EINVAL;
		}
		s = count_one(&c, s);
		if (c.groups > LABEL_REGEX_MAX_GROUPS) {
			*why = "a regular expression with more than 9 groups";
			return -EINVAL;
		}
		if (c.repeats_more) {
			*why = "a regular expression that repeats what is repeated already";
			return -EINVAL;
		}
		if (c.sum[c.depth] + c.atom > LABEL_REGEX_MAX_COST) {
			*why = "a regular expression that repeats too much";
			return -EINVAL;
		}
		if (!*s)
			break;
	}
	return 0;
}

static const char *compile_advice(int code)
{
	switch (code) {
	case REG_EBRACK:
		return "a regular expression with a [ that is not closed";
	case REG_EPAREN:
		return "a regular expression with a parenthesis that is not closed";
	case REG_EBRACE:
	case REG_BADBR:
		return "a regular expression with a wrong {repeat}";
	case REG_BADRPT:
		return "a regular expression with nothing to repeat before *, + or ?";
	case REG_EESCAPE:
		return "a regular expression that ends in a backslash";
	case REG_ECTYPE:
		return "a regular expression with an unknown class, such as [:digits:]";
	case REG_ERANGE:
		return "a regular expression with a wrong range";
	default:
		return "not a regular expression";
	}
}

static int compile(regex_t *out, const char *text, int flags, const char **why)
{
	int code = regcomp(out, text, flags);

	if (code == REG_ESPACE)
		return -ENOMEM;
	if (code)
		*why = compile_advice(code);
	return code ? -EINVAL : 0;
}

int label_regex_compile_part(regex_t *out, const char *text, const char **why)
{
	return check_cost(text, why) ?: compile(out, text, REG_EXTENDED | REG_NOSUB, why);
}

int label_regex_compile(regex_t *out, const char *text, const char **why)
{
	_cleanup_free_ char *anchored = NULL;
	regex_t alone;
	/* "a)(b" would be right between parentheses. */
	int err = label_regex_compile_part(&alone, text, why);

	if (err)
		return err;
	regfree(&alone);
	if (asprintf(&anchored, "^(%s)$", text) < 0) {
		anchored = NULL;
		return -ENOMEM;
	}
	return compile(out, anchored, REG_EXTENDED, why);
}

int label_regex_check(const char *text, const char **why)
{
	regex_t re;
	int err = label_regex_compile(&re, text, why);

	if (!err)
		regfree(&re);
	return err;
}
