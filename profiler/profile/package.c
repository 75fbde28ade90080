// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/profile/package.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#include "profiler/base/text.h"
#include "profiler/profile/frame_role.h"

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
	const char *found = NULL, *at;

	/* Python's own: "/usr/lib/python3.11/json/decoder.py" */
	for (at = path; (at = strstr(at, "/python")); at += strlen("/python"))
		if (isdigit((unsigned char)at[strlen("/python")]) && strchr(at + 1, '/'))
			found = strchr(at + 1, '/') + 1;
	for (size_t i = 0; i < sizeof(homes) / sizeof(*homes); i++)
		for (at = path; (at = strstr(at, homes[i])); found = found > at ? found : at)
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

/* The package of a script's path, which ":12:3" may follow. */
static bool package_of_path(struct buf *out, const char *path)
{
	const char *library = library_in(path);
	size_t len;

	if (text_has_prefix(path, "node:"))
		return take(out, (struct part){path, strlen("node")});
	if (!library)
		return package_directory(out, path);
	len = strcspn(library, "/:");
	/* @scope/package */
	if (*library == '@' && library[len] == '/')
		len += 1 + strcspn(library + len + 1, "/:");
	else if (len > 3 && library[len] != '/' && !memcmp(library + len - 3, ".py", 3))
		len -= 3;
	return take(out, (struct part){library, len});
}

static bool script_package(struct buf *out, const char *name)
{
	const char *path = path_in(name);

	return path && package_of_path(out, path);
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

static bool go_package(struct buf *out, const char *name, bool is_go)
{
	struct part p = {name, strcspn(name, "([{ <")};
	const char *slash = last_in(p, '/'), *element = slash ? slash + 1 : p.s;
	const char *dot = memchr(element, '.', p.len - (size_t)(element - p.s));

	if (!dot || dot == element)
		return false;
	if (!slash && !is_go && is_suffix_of_c(dot + 1))
		return false;
	add_go_path(out, (struct part){name, (size_t)(dot - name)});
	return true;
}

/* --- Rust --------------------------------------------------------------------------------------- */

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

static bool is_operator(const char *s)
{
	unsigned char next;

	if (!text_has_prefix(s, "operator"))
		return false;
	next = (unsigned char)s[strlen("operator")];
	return next && next != ':' && next != '_' && !isalnum(next) && next < 0x80;
}

/* Has no parameters, and no type that it returns: of C++ it would have. */
static bool is_rust_path(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < len; i += bracketed(name + i, len - i)) {
		bool starts = !i || name[i - 1] == ':';

		if (name[i] == ' ' || (name[i] == '(' && i) || (starts && is_operator(name + i)))
			return false;
	}
	return strstr(name, "::");
}

/* The first component of a path "a::b<c::d>::e"; len 0: it is no path. */
static struct part first_component(struct part p)
{
	for (size_t i = 0; i + 1 < p.len;) {
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

static bool crate_of_name(struct buf *out, const char *name)
{
	struct part p = {name, strlen(name)}, first;

	if (!is_rust_path(name))
		return false;
	first = *name == '<' ? crate_in(p) : first_component(p);
	for (size_t i = 0; i < first.len; i++)
		if (first.s[i] == '<')
			first.len = i;
	return take(out, first);
}

/* "serde-json-1.0.3": where "-1.0.3" begins. */
static size_t without_version(struct part p)
{
	for (size_t i = 1; i + 1 < p.len; i++)
		if (p.s[i] == '-' && isdigit((unsigned char)p.s[i + 1]) &&
		    memchr(p.s + i, '.', p.len - i))
			return i;
	return p.len;
}

/*
 * "/rustc/HASH/library/core/src/iter/mod.rs", "/home/u/.cargo/registry/src/INDEX/serde-1.0.3/src/lib.rs",
 * "/home/u/app/src/main.rs": the crate's directory is above the last "src". In names a crate has no '-'.
 */
static bool crate_of_file(struct buf *out, const char *file)
{
	struct part p = {file, 0};
	const char *src = NULL;

	for (const char *at = file; (at = strstr(at, "/src/")); at++)
		src = at;
	p.len = src ? (size_t)(src - file) : 0;
	if (last_in(p, '/'))
		p.s = last_in(p, '/') + 1;
	p.len = src ? (size_t)(src - p.s) : 0;
	p.len = without_version(p);
	for (size_t i = 0; i < p.len; i++)
		buf_char(out, p.s[i] == '-' ? '_' : p.s[i]);
	return p.len > 0;
}

/* ------------------------------------------------------------------------------------------------ */

enum language { UNTOLD, GO, RUST, SCRIPT, JAVA, WITHOUT_PACKAGES };

static enum language language_of(const char *file)
{
	static const struct {
		const char *ending;
		enum language language;
	} endings[] = {
		{".go", GO},	  {".rs", RUST},    {".py", SCRIPT},   {".js", SCRIPT},
		{".mjs", SCRIPT}, {".cjs", SCRIPT}, {".ts", SCRIPT},   {".mts", SCRIPT},
		{".cts", SCRIPT}, {".jsx", SCRIPT}, {".tsx", SCRIPT},  {".java", JAVA},
		{".kt", JAVA},	  {".scala", JAVA}, {".groovy", JAVA}, {".s", UNTOLD},
	};

	for (size_t i = 0; i < sizeof(endings) / sizeof(*endings); i++)
		if (text_has_suffix(file, endings[i].ending))
			return endings[i].language;
	return *file ? WITHOUT_PACKAGES : UNTOLD;
}

bool package_of(struct buf *out, const char *name, const char *file, enum frame_kind kind)
{
	if (kind == FRAME_KERNEL || kind == FRAME_SYNTHETIC || frame_name_is_vague(name))
		return false;
	if (kind == FRAME_JIT && (script_package(out, name) || java_package(out, name)))
		return true;
	switch (language_of(file)) {
	case GO:
		return go_package(out, name, true);
	case RUST:
		return crate_of_name(out, name) || crate_of_file(out, file);
	case SCRIPT:
		return package_of_path(out, file);
	case JAVA:
		return java_package(out, name);
	case WITHOUT_PACKAGES:
		return false;
	case UNTOLD:
		break;
	}
	return kind != FRAME_JIT &&
	       (crate_of_name(out, name) || (!strstr(name, "::") && go_package(out, name, false)));
}
