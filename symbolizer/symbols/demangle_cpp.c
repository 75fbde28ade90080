// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/symbols/demangle_cpp.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "symbolizer/symbols/llvm_demangle.h"

/* --- names that could take too long --------------------------------------------------------------- */

/*
 * LLVM's printer visits a node again for each back reference, so nested references double the
 * visits. The cap on the text stops this if visits print something. Visits may print nothing in
 * names with an empty argument pack ("JE"), or with a conversion operator ("cv") to a type that
 * refers to itself. There n references make up to 1.44^n visits. Of 5,118 real names with a pack
 * and either of these, two have more references than this cap.
 */
#define SILENT_REFERENCES_MAX 24

/* Counts "S_", "S1A_", "T_", "T0_", also inside identifiers. */
static size_t count_references(const char *name)
{
	size_t n = 0;

	for (const char *end = strchr(name + 1, '_'); end; end = strchr(end + 1, '_')) {
		const char *p = end - 1;

		while (p > name && *p != 'S' && *p != 'T' &&
		       (isdigit((unsigned char)*p) || isupper((unsigned char)*p)))
			p--;
		n += *p == 'S' || *p == 'T';
	}
	return n;
}

static bool may_take_long(const char *name)
{
	const char *pack = strchr(name, 'J');

	return pack && (strstr(pack, "JE") || strstr(name, "cv")) &&
	       count_references(name) > SILENT_REFERENCES_MAX;
}

/* --- spelling ------------------------------------------------------------------------------------- */

/* Depth of lambdas in each other's parameters. Deeper ones keep LLVM's spelling. */
#define LAMBDAS_MAX 8

/* A lambda with parameters to come. Its number follows them. */
struct lambda {
	unsigned number, depth;
	bool in_params;
};

struct spelling {
	struct buf *out;
	size_t left; /* bytes that may still be added */
	bool cut;    /* there was more */
	const char *text;
	size_t len, at, done; /* the text up to `done` is in out */
	unsigned depth;	      /* of open parentheses */
	struct lambda lambdas[LAMBDAS_MAX];
	size_t n_lambdas;
};

static void put(struct spelling *s, const char *text, size_t len)
{
	if (len > s->left) {
		len = s->left;
		s->cut = true;
	}
	s->left -= len;
	text_add_clean(s->out, text, len);
}

static void put_str(struct spelling *s, const char *text)
{
	put(s, text, strlen(text));
}

/* "#1}" */
static void put_number(struct spelling *s, unsigned number)
{
	char text[16];

	put(s, text, (size_t)snprintf(text, sizeof(text), "#%u}", number));
}

static void flush(struct spelling *s, size_t end)
{
	put(s, s->text + s->done, end - s->done);
	s->done = end;
}

static char peek(const struct spelling *s, size_t i)
{
	return i < s->len ? s->text[i] : 0;
}

/* True if `word` ends at `end` and is not the tail of a longer identifier. */
static bool word_ends_at(const struct spelling *s, size_t end, const char *word)
{
	size_t n = strlen(word);

	if (end < n || memcmp(s->text + end - n, word, n) != 0)
		return false;
	return end == n ||
	       !(isalnum((unsigned char)s->text[end - n - 1]) || s->text[end - n - 1] == '_');
}

/* Length of the operator at `i`, which begins with '<' or '>'. */
static size_t operator_len(const struct spelling *s, size_t i)
{
	char c = s->text[i], next = peek(s, i + 1), third = peek(s, i + 2);

	if (c == '<' && next == '=' && third == '>')
		return 3;
	if (next == '=')
		return 2;
	if (next != c)
		return 1;
	if (third == '=')
		return 3;
	/* "operator<<int>" is operator< of int. */
	return c == '<' && (isalnum((unsigned char)third) || third == '_') ? 1 : 2;
}

/* Adjacent angle brackets get a space between them. Operators do not. */
static void angle(struct spelling *s)
{
	size_t i = s->at;
	char c = s->text[i];

	if (word_ends_at(s, i, "operator"))
		i += operator_len(s, i) - 1;
	else if (c == '>' && peek(s, i + 1) == '>' && i && s->text[i - 1] == ' ')
		i++; /* a shift has spaces around it */
	c = s->text[i];
	s->at = i + 1;
	if (peek(s, i + 1) == c) {
		flush(s, i + 1);
		put_str(s, " ");
	}
}

/* The number at `i`: no digits mean 1, "0" means 2. *end: behind the digits. */
static unsigned quoted_number(const struct spelling *s, size_t i, size_t *end)
{
	unsigned n = 0;

	for (*end = i; isdigit((unsigned char)peek(s, *end)) && *end - i < 6; ++*end)
		n = n * 10 + (unsigned)(s->text[*end] - '0');
	return *end == i ? 1 : n + 2;
}

/* "'lambda0'(int)" becomes "{lambda(int)#2}", and "'unnamed0'" "{unnamed type#2}". */
static void quoted(struct spelling *s)
{
	static const char lambda[] = "'lambda", unnamed[] = "'unnamed";
	const char *text = s->text + s->at;
	size_t left = s->len - s->at, end;
	bool is_lambda = left > strlen(lambda) && !memcmp(text, lambda, strlen(lambda));
	bool is_unnamed = left > strlen(unnamed) && !memcmp(text, unnamed, strlen(unnamed));
	unsigned number = quoted_number(s, s->at + strlen(is_lambda ? lambda : unnamed), &end);

	s->at++;
	if (!(is_lambda || is_unnamed) || peek(s, end) != '\'' || s->n_lambdas == LAMBDAS_MAX)
		return;
	end++;
	if (is_lambda && peek(s, end) != '(' && peek(s, end) != '<')
		return;
	flush(s, s->at - 1);
	s->at = s->done = end;
	put_str(s, is_lambda ? "{lambda" : "{unnamed type");
	if (is_lambda)
		s->lambdas[s->n_lambdas++] = (struct lambda){number, s->depth, false};
	else
		put_number(s, number);
}

static void parenthesis(struct spelling *s)
{
	struct lambda *last = s->n_lambdas ? &s->lambdas[s->n_lambdas - 1] : NULL;
	char c = s->text[s->at++];

	if (c == '(') {
		char before = s->at > 1 ? s->text[s->at - 2] : 0;

		if (last && !last->in_params && last->depth == s->depth)
			last->in_params = before == '\'' || before == '>';
		s->depth++;
		return;
	}
	s->depth -= s->depth > 0;
	if (!last || !last->in_params || last->depth != s->depth)
		return;
	flush(s, s->at);
	put_number(s, last->number);
	s->n_lambdas--;
}

#define ALL_BYTES(c) ((c)*0x0101010101010101ull)

static inline bool has_zero_byte(uint64_t w)
{
	return (w - ALL_BYTES(1)) & ~w & ALL_BYTES(0x80);
}

/* True if one of 8 bytes is a quote, or an angle bracket followed by the same one. ('<' and '>'
 * differ in bit 1.) */
static inline bool is_special_word(const char *text)
{
	uint64_t w, next;

	memcpy(&w, text, sizeof(w));
	memcpy(&next, text + 1, sizeof(next));
	return has_zero_byte((w ^ next) | ((w | ALL_BYTES(2)) ^ ALL_BYTES('>'))) ||
	       has_zero_byte(w ^ ALL_BYTES('\''));
}

/* The next place from `at` on that may need another spelling, or len. */
static size_t next_special(const char *text, size_t at, size_t len, bool parentheses)
{
	while (at < len) {
		char c = text[at];

		if (!parentheses && len - at > sizeof(uint64_t) && !is_special_word(text + at)) {
			at += sizeof(uint64_t);
			continue;
		}
		if (c == '\'' || (parentheses && (c == '(' || c == ')')) ||
		    ((c == '<' || c == '>') && at + 1 < len && text[at + 1] == c))
			break;
		at++;
	}
	return at;
}

static void add_spelled(struct spelling *s)
{
	for (;;) {
		s->at = next_special(s->text, s->at, s->len, s->n_lambdas);
		if (s->at == s->len)
			break;
		switch (s->text[s->at]) {
		case '<':
		case '>':
			angle(s);
			break;
		case '\'':
			quoted(s);
			break;
		default:
			parenthesis(s);
		}
	}
	flush(s, s->len);
}

/* --- suffixes ------------------------------------------------------------------------------------- */

/* LLVM puts a suffix (".resume") at the end of the text (" (.resume)"). Length of the text
 * before it. */
static size_t len_without_suffix(const struct llvm_name *n, const char *mangled,
				 const char **suffix)
{
	for (const char *dot = strchr(mangled, '.'); dot; dot = strchr(dot + 1, '.')) {
		size_t len = strlen(dot), base = n->len - len - 3;

		if (n->len > len + 3 && !memcmp(n->text + base, " (", 2) &&
		    !memcmp(n->text + base + 2, dot, len) && n->text[n->len - 1] == ')') {
			*suffix = dot;
			return base;
		}
	}
	return n->len;
}

/* ".resume.0.x" is two clones: " [clone .resume.0] [clone .x]". */
static void add_clones(struct spelling *s, const char *suffix)
{
	while (*suffix) {
		const char *end = suffix + 1;

		end += strcspn(end, ".");
		while (*end == '.' && isdigit((unsigned char)end[1])) {
			end++;
			end += strcspn(end, ".");
		}
		put_str(s, " [clone ");
		put(s, suffix, (size_t)(end - suffix));
		put_str(s, "]");
		suffix = end;
	}
}

/* -------------------------------------------------------------------------------------------------- */

static bool add_name(struct buf *out, const char *what, const char *mangled)
{
	struct spelling s = {.out = out, .left = LLVM_TEXT_MAX};
	const char *suffix = "";
	struct llvm_name name; /* 10 KiB: not cleared for each name */

	if (may_take_long(mangled) || !llvm_demangle(&name, mangled))
		return false;
	s.text = name.text;
	s.len = name.cut ? name.len : len_without_suffix(&name, mangled, &suffix);
	s.cut = name.cut;
	put_str(&s, what);
	add_spelled(&s);
	add_clones(&s, suffix);
	if (s.cut)
		buf_str(out, "...");
	return true;
}

bool demangle_cpp(struct buf *out, const char *mangled)
{
	static const char transaction_clone[] = "_ZGTt"; /* LLVM does not know it */
	_cleanup_free_ char *cloned = NULL;

	if (!text_has_prefix(mangled, transaction_clone))
		return add_name(out, "", mangled);
	cloned = strdup(mangled + strlen(transaction_clone) - strlen("_Z"));
	if (!cloned)
		return false;
	memcpy(cloned, "_Z", strlen("_Z"));
	return add_name(out, "transaction clone for ", cloned);
}
