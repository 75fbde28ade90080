// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/profile/package.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#include "profiler/base/text.h"

/* A part of a name. */
struct part {
	const char *s;
	size_t len;
};

static bool take(struct buf *out, struct part p)
{
	buf_add(out, p.s, p.len);
	return p.len > 0;
}

static const char *last_in(struct part p, char c)
{
	return p.len ? memrchr(p.s, c, p.len) : NULL;
}

bool package_directory(struct buf *out, const char *file)
{
	const char *slash = strrchr(file, '/');

	if (!slash)
		return false;
	return take(out, (struct part){file, slash == file ? 1 : (size_t)(slash - file)});
}

/* --- scripts: a path in the name --------------------------------------------------------------- */

/* Behind the last "/node_modules/", or what else libraries are below; NULL: it is none. */
static const char *library_in(const char *path)
{
	static const char *const homes[] = {"/node_modules/", "/site-packages/", "/dist-packages/"};
	const char *found = NULL;

	for (size_t i = 0; i < sizeof(homes) / sizeof(*homes); i++)
		for (const char *at = path; (at = strstr(at, homes[i])); found = at)
			at += strlen(homes[i]);
	return found;
}

/* "name path:12:3", "py::name:path". */
static const char *path_in(const char *name)
{
	const char *space = strrchr(name, ' ');

	if (text_has_prefix(name, "py::")) {
		const char *colon = strchr(name + 4, ':');

		return colon && strchr(colon, '/') ? colon + 1 : NULL;
	}
	if (!space || !strchr(space, ':'))
		return NULL;
	space++;
	if (text_has_prefix(space, "file://"))
		space += strlen("file://");
	return *space == '/' || text_has_prefix(space, "node:") ? space : NULL;
}

static bool script_package(struct buf *out, const char *name)
{
	const char *path = path_in(name), *library = path ? library_in(path) : NULL;
	size_t len;

	if (!path)
		return false;
	if (text_has_prefix(path, "node:"))
		return take(out, (struct part){path, strlen("node")});
	if (!library)
		return package_directory(out, path);
	len = strcspn(library, "/:");
	/* @scope/package */
	if (*library == '@' && library[len] == '/')
		len += 1 + strcspn(library + len + 1, "/:");
	return take(out, (struct part){library, len});
}

/* --- Java --------------------------------------------------------------------------------------- */

/* "int java.util.HashMap.hash(...)", "java.util.HashMap::hash", "Ljava/util/HashMap;::hash", "java/util/HashMap.hash" */
static bool java_package(struct buf *out, const char *name)
{
	struct part p = {name, strcspn(name, "(")};
	const char *at = last_in(p, ' '), *colons;

	if (at) {
		p.len -= (size_t)(at + 1 - p.s);
		p.s = at + 1;
	}
	if (*p.s == 'L' && memchr(p.s, ';', p.len)) {
		p.s++;
		p.len = strcspn(p.s, ";");
	} else {
		colons = memmem(p.s, p.len, "::", 2);
		at = colons ?: last_in(p, '.');
		p.len = at ? (size_t)(at - p.s) : 0;
	}
	at = last_in(p, '/') ?: last_in(p, '.');
	if (!at || at == p.s)
		return false;
	for (; p.s < at; p.s++)
		buf_char(out, *p.s == '/' ? '.' : *p.s);
	return true;
}

/* --- Go ----------------------------------------------------------------------------------------- */

/* What GCC and LLVM append to names of C: "f.constprop.0", "f.llvm.123". */
static bool is_suffix_of_c(const char *s)
{
	static const char *const words[] = {"constprop", "isra",    "part",    "cold",
					    "lto_priv",	 "llvm",    "str",     "localalias",
					    "__uniq",	 "clone",   "suspend", "resume",
					    "destroy",	 "cleanup", "plt"};
	size_t len = strcspn(s, ".@");

	if (!len || isdigit((unsigned char)*s))
		return true;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strlen(words[i]) == len && !memcmp(s, words[i], len))
			return true;
	return false;
}

/* The linker writes a dot in the last element of a path as "%2e". */
static void add_go_path(struct buf *out, struct part p)
{
	for (size_t i = 0; i < p.len; i++) {
		bool is_dot = p.len - i >= 3 && !memcmp(p.s + i, "%2e", 3);

		buf_char(out, is_dot ? '.' : p.s[i]);
		i += is_dot ? 2 : 0;
	}
}

static bool go_package(struct buf *out, const char *name, const char *file)
{
	struct part p = {name, strcspn(name, "([{ <")};
	const char *slash = last_in(p, '/'), *element = slash ? slash + 1 : p.s;
	const char *dot = memchr(element, '.', p.len - (size_t)(element - p.s));

	if (!dot || dot == element)
		return false;
	if (!slash && !text_has_suffix(file, ".go") && is_suffix_of_c(dot + 1))
		return false;
	add_go_path(out, (struct part){name, (size_t)(dot - name)});
	return true;
}

/* --- C++ and Rust ------------------------------------------------------------------------------- */

#define ANONYMOUS "(anonymous namespace)"

/* Length of a bracketed part at s, or 1. Brackets nest; "->" is none. */
static size_t bracketed(const char *s, size_t len)
{
	size_t depth = 0;

	if (!memchr("<({[", *s, 4))
		return 1;
	for (size_t i = 0; i < len; i++) {
		if (memchr("<({[", s[i], 4))
			depth++;
		else if (memchr(">)}]", s[i], 4) && !(s[i] == '>' && i && s[i - 1] == '-'))
			depth--;
		if (!depth)
			return i + 1;
	}
	return len;
}

/* Where the qualified name begins and ends: without the type that it returns, and parameters. */
static struct part qualified(const char *name)
{
	struct part p = {name, strlen(name)};
	const char *end = name + p.len;

	for (const char *s = name; s < end;) {
		size_t left = (size_t)(end - s);

		if (text_has_prefix(s, ANONYMOUS)) {
			s += strlen(ANONYMOUS);
			continue;
		}
		/* Of a function's parameters, unless nothing came before them. */
		if (*s == '(' && s > p.s) {
			end = s;
			break;
		}
		if (text_has_prefix(s, "operator") && (s == name || s[-1] == ':' || s[-1] == ' '))
			break;
		if (*s == ' ')
			p.s = s + 1;
		s += bracketed(s, left);
	}
	while (p.s < end && strchr("*&", *p.s))
		p.s++;
	p.len = (size_t)(end - p.s);
	return p;
}

/* The first component of a path "a::b<c::d>::e"; len 0: it is no path. */
static struct part first_component(struct part p)
{
	for (size_t i = 0; i + 1 < p.len;) {
		if (!i && p.len > strlen(ANONYMOUS "::") && text_has_prefix(p.s, ANONYMOUS "::")) {
			p.s += strlen(ANONYMOUS "::");
			p.len -= strlen(ANONYMOUS "::");
			continue;
		}
		if (p.s[i] == ':' && p.s[i + 1] == ':')
			return (struct part){p.s, i};
		if (p.s[i] == ' ')
			break;
		i += bracketed(p.s + i, p.len - i);
	}
	return (struct part){p.s, 0};
}

/* Rust's "<&mut a::B as c::D>::e": the crate of the type, else of the trait. */
static struct part crate_in(struct part p)
{
	static const char *const marks[] = {"&",    "*const ", "*mut ", "mut ",
					    "dyn ", "impl ",   "[",	"("};
	struct part first, all = {p.s + 1, bracketed(p.s, p.len) - 1};
	const char *as;

	p = all;
	for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++) {
		size_t n = strlen(marks[i]);

		if (p.len <= n || memcmp(p.s, marks[i], n) != 0)
			continue;
		p = (struct part){p.s + n, p.len - n};
		i = SIZE_MAX; /* more of them may follow */
	}
	first = first_component(p);
	as = first.len ? NULL : memmem(all.s, all.len, " as ", 4);
	if (!as)
		return first;
	return first_component((struct part){as + 4, all.len - (size_t)(as + 4 - all.s)});
}

static bool namespace_of(struct buf *out, const char *name)
{
	struct part p = qualified(name), first;

	first = p.len && *p.s == '<' ? crate_in(p) : first_component(p);
	if (first.len && memchr(first.s, '<', first.len) != first.s)
		first.len = strcspn(first.s, "<") < first.len ? strcspn(first.s, "<") : first.len;
	return take(out, first);
}

/* ------------------------------------------------------------------------------------------------ */

bool package_of(struct buf *out, const char *name, const char *file, bool is_jit)
{
	if (is_jit)
		return script_package(out, name) || java_package(out, name);
	if (text_has_suffix(file, ".go") && go_package(out, name, file))
		return true;
	if (strstr(name, "::"))
		return namespace_of(out, name);
	return go_package(out, name, file);
}
