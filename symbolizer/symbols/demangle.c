// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mangled names made readable: C++ by LLVM (demangle_cpp.h), Rust and D by libiberty. libiberty's
 * demangler of Rust allocates nothing and jumps nowhere while it prints through a callback. Back
 * references double what it prints, so the callback leaves with longjmp() past the cap.
 */
#include <ctype.h>
#include <errno.h>
#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/text.h"
#include "symbolizer/symbols/demangle_cpp.h"
#include "symbolizer/symbols/demangle.h"

/* Longer mangled names are shown as they are. */
#define MANGLED_MAX 2048
/* D's demangler has no callback; its names come with at most this. */
#define MANGLED_D_MAX 1024
/* What is longer is cut there and ends in "...". */
#define DEMANGLED_MAX 8192
/* Rust names with punycode make the demangler hold memory while it prints: no jumping out of those,
 * so instead of the output its back references are limited. */
#define PUNYCODE_BACKREFS_MAX 8
/* Digits, in base 62, of the number of a Rust type's lifetimes: at most 3,907 of them. */
#define LIFETIMES_DIGITS_MAX 2

struct sink {
	char text[DEMANGLED_MAX];
	size_t len;
	bool full, may_jump;
	jmp_buf leave;
};

static void take_text(const char *data, size_t len, void *ctx)
{
	struct sink *s = ctx;

	if (len > sizeof(s->text) - s->len) {
		len = sizeof(s->text) - s->len;
		s->full = true;
	}
	if (len)
		memcpy(s->text + s->len, data, len);
	s->len += len;
	if (s->full && s->may_jump)
		longjmp(s->leave, 1);
}

/* Rust v0: an identifier in punycode is "u", its length and its bytes. */
static bool may_have_punycode(const char *name)
{
	for (const char *u = strchr(name, 'u'); u; u = strchr(u + 1, 'u'))
		if (isdigit((unsigned char)u[1]))
			return true;
	return false;
}

static size_t count_char(const char *s, char c)
{
	size_t n = 0;

	for (; *s; s++)
		n += *s == c;
	return n;
}

/*
 * The binder of a function's type ("FG") or of a trait object ("DG") is followed by the number of its
 * lifetimes and "_". libiberty goes through all of them, even while it prints nothing. An identifier
 * seldom looks so.
 */
static bool has_many_lifetimes(const char *name)
{
	for (const char *g = strchr(name, 'G'); g; g = strchr(g + 1, 'G')) {
		const char *end = g + 1;

		while (isalnum((unsigned char)*end))
			end++;
		if ((g[-1] == 'F' || g[-1] == 'D') && *end == '_' &&
		    end - (g + 1) > LIFETIMES_DIGITS_MAX)
			return true;
	}
	return false;
}

static bool print_rust(const char *name, struct sink *s)
{
	s->len = 0;
	s->full = false;
	s->may_jump = !(name[1] == 'R' && may_have_punycode(name));
	if (!s->may_jump && count_char(name, 'B') > PUNYCODE_BACKREFS_MAX)
		return false;
	if (s->may_jump && setjmp(s->leave))
		return true;
	return rust_demangle_callback(name, DMGL_PARAMS, take_text, s) && s->len;
}

static bool demangle_rust(struct buf *out, const char *name)
{
	struct sink s; /* its text is written before it is read: no need to clear 8 KiB a name */

	/* The old scheme's names end in a hash, "17h" and 16 digits; others are C++. */
	if (name[1] == 'Z' && !strstr(name, "17h"))
		return false;
	if (name[1] == 'R' && has_many_lifetimes(name))
		return false;
	if (!print_rust(name, &s))
		return false;
	text_add_clean(out, s.text, s.len);
	if (s.full)
		buf_str(out, "...");
	return true;
}

static bool demangle_d(struct buf *out, const char *name)
{
	char *text;

	if (strlen(name) > MANGLED_D_MAX)
		return false;
	text = dlang_demangle(name, DMGL_PARAMS);
	if (!text)
		return false;
	text_add_clean(out, text, strnlen(text, DEMANGLED_MAX));
	free(text);
	return true;
}

/* Appends what a mangled name says; false when it is none. */
static bool demangle(struct buf *out, const char *name)
{
	if (name[0] != '_' || strlen(name) > MANGLED_MAX)
		return false;
	switch (name[1]) {
	case 'D':
		return demangle_d(out, name);
	case 'R':
		return demangle_rust(out, name);
	case 'Z':
		/* Rust's old scheme looks like C++ ("_ZN...17h<hash>E"): ask Rust first. */
		return demangle_rust(out, name) || demangle_cpp(out, name);
	default:
		return false;
	}
}

/* --- suffixes --------------------------------------------------------------------------------- */

/*
 * Parts and clones of a function that compilers split off count as the function. Only these: dots
 * are letters in Go, Swift and Ocaml names.
 */
static const struct suffix {
	const char *text;
	bool bare; /* also without a number */
} suffixes[] = {
	{".cold", true},       {".part", false}, {".isra", false},
	{".constprop", false}, {".llvm", false}, {".lto_priv", false},
};

/* Length of name without one such suffix at its end, or len. */
static size_t fold_one(const char *name, size_t len)
{
	size_t digits = 0, end = len;

	while (digits < len && isdigit((unsigned char)name[len - digits - 1]))
		digits++;
	if (digits && digits < len && name[len - digits - 1] == '.')
		end = len - digits - 1;
	else
		digits = 0;
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		size_t n = strlen(suffixes[i].text);

		if (end > n && (digits || suffixes[i].bare) &&
		    !memcmp(name + end - n, suffixes[i].text, n))
			return end - n;
	}
	return len;
}

static size_t folded_len(const char *name, size_t len)
{
	size_t next = fold_one(name, len);

	while (next < len) {
		len = next;
		next = fold_one(name, len);
	}
	return len;
}

void sym_demangle(struct buf *out, const char *raw_name)
{
	static const char plt[] = "@plt";
	bool is_plt = text_has_suffix(raw_name, plt);
	const char *version = strchr(raw_name, '@'); /* memcpy@@GLIBC_2.14 */
	size_t len =
		version && version > raw_name ? (size_t)(version - raw_name) : strlen(raw_name);
	char *name;

	len = folded_len(raw_name, len);
	name = strndup(raw_name, len);
	if (!name) {
		out->err = -ENOMEM;
		return;
	}
	if (!demangle(out, name))
		text_add_clean(out, name, len);
	if (is_plt)
		buf_str(out, plt);
	free(name);
}
