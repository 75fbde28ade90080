// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Readable forms of mangled names: C++ by LLVM (demangle_cpp.h), Rust and D by libiberty. While it
 * prints through a callback, libiberty's Rust demangler holds no memory. Back references double its
 * output. So past the cap the callback leaves it with longjmp().
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

/* Longer mangled names stay as they are. */
#define MANGLED_MAX 2048
/* libiberty's D demangler has no callback, so its input has a smaller cap. */
#define MANGLED_D_MAX 1024
/* Longer output is cut here and ends in "...". */
#define DEMANGLED_MAX 8192
/* For Rust names with punycode the demangler holds memory while it prints, so longjmp() would
 * leak. Instead, such names may have only so many back references. */
#define PUNYCODE_BACKREFS_MAX 8
/* Base-62 digits of the number of lifetimes of a Rust type: at most 3,907 lifetimes. */
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

/* In Rust v0, an identifier in punycode is "u", its length and its bytes. */
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
 * The binder of a function type ("FG") or trait object ("DG") has a number of lifetimes and "_".
 * libiberty loops over all lifetimes even while it prints nothing. Identifiers rarely look like
 * this.
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
	struct sink s; /* large, and written before it is read: not cleared */

	/* Legacy names end in a hash, "17h" and 16 digits. Others are C++. */
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

/* Appends the demangled name. False if it is not mangled. */
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
		/* Legacy Rust names look like C++ ("_ZN...17h<hash>E"), so Rust is tried first. */
		return demangle_rust(out, name) || demangle_cpp(out, name);
	default:
		return false;
	}
}

/* --- suffixes --------------------------------------------------------------------------------- */

/*
 * Suffixes of parts and clones that compilers split off a function. No other dots are folded: Go,
 * Swift and OCaml names contain dots.
 */
static const struct suffix {
	const char *text;
	bool bare; /* also valid without a number */
} suffixes[] = {
	{".cold", true},
	{".part", false},
	{".isra", false},
	{".constprop", false},
	{".llvm", false},
	{".lto_priv", false},
	/* clang -fbasic-block-sections */
	{".__part", false},
};

/* Length of the name without one such suffix, or len. */
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
