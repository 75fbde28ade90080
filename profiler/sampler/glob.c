// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "bpf/abi.h"
#include "profiler/sampler/glob.h"

/* Compiles a bracket expression after its '[': sets `bit` for its bytes. Returns its end, or
 * NULL if it is unclosed. */
static const char *compile_bracket(struct glob *g, const char *s, uint64_t bit)
{
	bool members[256] = {0}, negate = *s == '!' || *s == '^';
	const char *first;

	s += negate;
	first = s;
	for (; *s && (*s != ']' || s == first); s++) {
		unsigned char lo = (unsigned char)*s, hi = lo;

		if (s[1] == '-' && s[2] && s[2] != ']') {
			hi = (unsigned char)s[2];
			s += 2;
		}
		for (unsigned c = lo; c <= hi; c++)
			members[c] = true;
	}
	if (!*s)
		return NULL;
	for (unsigned c = 1; c < 256; c++)
		if (members[c] != negate)
			g->step[c] |= bit;
	return s + 1;
}

int glob_compile(struct glob *g, const char *pattern)
{
	unsigned n = 0;

	memset(g, 0, sizeof(*g));
	for (const char *s = pattern; *s; n++) {
		uint64_t bit = 1ull << n;
		char c = *s++;

		if (n >= GLOB_MAX_ELEMENTS)
			return -E2BIG;
		if (c == '*') {
			g->star |= bit;
			while (*s == '*')
				s++;
		} else if (c == '?') {
			for (unsigned any = 1; any < 256; any++)
				g->step[any] |= bit;
		} else if (c == '[') {
			s = compile_bracket(g, s, bit);
			if (!s)
				return -EINVAL;
		} else {
			if (c == '\\' && *s)
				c = *s++;
			g->step[(unsigned char)c] |= bit;
		}
	}
	g->start = 1 | ((g->star & 1) << 1);
	g->final = 1ull << n;
	return 0;
}

bool glob_fits_comm(const struct glob *g)
{
	return __builtin_ctzll(g->final) - __builtin_popcountll(g->star) < KILN_COMM_LEN;
}

bool glob_match(const struct glob *g, const char *text)
{
	uint64_t state = g->start;

	for (; *text; text++) {
		state = ((state & g->step[(unsigned char)*text]) << 1) | (state & g->star);
		state |= (state & g->star) << 1;
	}
	return state & g->final;
}
