// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <string.h>

#include "profiler/profile/name_parts.h"

void name_parts_release(struct name_parts *p)
{
	vec_release(&p->groups);
	vec_release(&p->components);
}

bool name_is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

static size_t word_len(const char *s)
{
	size_t n = 0;

	while (name_is_word(s[n]))
		n++;
	return n;
}

static bool is_one_of(const char *word, size_t len, const char *const *words)
{
	for (; *words; words++)
		if (strlen(*words) == len && !memcmp(word, *words, len))
			return true;
	return false;
}

static bool starts(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

static bool ends(const char *name, size_t len, const char *suffix)
{
	size_t n = strlen(suffix);

	return len >= n && !memcmp(name + len - n, suffix, n);
}

uint32_t name_operator_len(const char *name, uint32_t at)
{
	static const char *const symbols[] = {"()", "[]", "<=>", "<<=", ">>=", "->*", "->",
					      "<<", ">>", "<=",	 ">=",	"<",   ">"};
	static const char word[] = "operator";
	const uint32_t len = sizeof(word) - 1;

	if (name[at] != 'o' || (at && name_is_word(name[at - 1])) || !starts(name + at, word) ||
	    name_is_word(name[at + len]))
		return 0;
	for (size_t i = 0; i < sizeof(symbols) / sizeof(*symbols); i++)
		if (starts(name + at + len, symbols[i]))
			return len + (uint32_t)strlen(symbols[i]);
	return len;
}

/* --- brackets ---------------------------------------------------------------------------------- */

static const char opening[] = "(<[{", closing[] = ")>]}";

/* "<init>" of Java and "<lambda>" of Python are names. */
static bool is_angled_name(const char *name, uint32_t at)
{
	static const char *const words[] = {"init",	"clinit",   "module",  "lambda", "genexpr",
					    "listcomp", "dictcomp", "setcomp", "locals", NULL};
	size_t len = word_len(name + at + 1);

	return name[at + 1 + len] == '>' && is_one_of(name + at + 1, len, words);
}

static enum name_group_kind kind_of(const char *name, uint32_t at)
{
	char before = at ? name[at - 1] : '\0';

	switch (name[at]) {
	case '{':
		return GROUP_NAME;
	case '[': /* "[libc.so.6]", Objective-C's "-[A b]" */
		return !before || before == '-' || before == '+' ? GROUP_NAME : GROUP_ARGS;
	case '(': /* "(anonymous namespace)::", Go's ".(*T)." */
		return !before || strchr(":./", before) || ends(name, at, "decltype") ||
				       ends(name, at, "decltype ")
			       ? GROUP_NAME
			       : GROUP_ARGS;
	default:
		if (is_angled_name(name, at))
			return GROUP_NAME;
		return !before || starts(name + at, "<impl ") ? GROUP_SELF : GROUP_ARGS;
	}
}

struct open_groups {
	VEC(uint32_t) v;
};

static int open_group(struct name_parts *p, struct open_groups *open, const char *name, uint32_t at)
{
	struct name_group g = {.open = at, .kind = kind_of(name, at)};
	const struct name_group *around = open->v.len ? &p->groups.data[vec_last(&open->v)] : NULL;
	bool is_args;

	if (g.kind == GROUP_SELF && open->v.len >= NAME_SELF_DEPTH)
		g.kind = GROUP_NAME;
	/* Rust's types [T] and (A, B) */
	if (around && around->kind == GROUP_SELF && strchr("([", name[at]) &&
	    strchr(" &<", name[at - 1]))
		g.kind = GROUP_NAME;
	is_args = g.kind == GROUP_ARGS;
	g.depth = around ? around->depth : 0;
	g.params = g.depth ? around->params : is_args && name[at] == '(';
	g.depth = (uint8_t)(g.depth + (is_args && g.depth < UINT8_MAX));
	return vec_push(&open->v, (uint32_t)p->groups.len) ?: vec_push(&p->groups, g);
}

/* A "<" that something else's end follows was none of them. */
static void close_group(struct name_parts *p, struct open_groups *open, const char *name,
			uint32_t at)
{
	const char wanted = opening[strchr(closing, name[at]) - closing];

	if (name[at] == '>' && at && (name[at - 1] == '-' || name[at - 1] == '='))
		return;
	while (open->v.len) {
		struct name_group *g = &p->groups.data[vec_last(&open->v)];

		if (name[g->open] == wanted) {
			g->close = at;
			open->v.len--;
			return;
		}
		if (name[g->open] != '<')
			return;
		open->v.len--;
	}
}

static int find_groups(struct name_parts *p, const char *name, uint32_t len)
{
	struct open_groups open = {0};
	int err = 0;

	for (uint32_t i = 0; !err && i < len; i++) {
		uint32_t n = name_operator_len(name, i);

		if (n)
			i += n - 1;
		else if (strchr(opening, name[i]))
			err = open_group(p, &open, name, i);
		else if (strchr(closing, name[i]))
			close_group(p, &open, name, i);
	}
	vec_release(&open.v);
	return err;
}

static bool is_in_group(const struct name_parts *p, uint32_t at)
{
	for (size_t i = 0; i < p->groups.len; i++)
		if (p->groups.data[i].open < at && at <= p->groups.data[i].close)
			return true;
	return false;
}

/* --- a place in a script ----------------------------------------------------------------------- */

static bool is_line_at_end(const char *s)
{
	const char *colon = strrchr(s, ':');

	return colon && colon > s && isdigit((unsigned char)colon[1]) &&
	       !colon[1 + strspn(colon + 1, "0123456789")];
}

/* V8 writes "JS:*run /srv/app.js:12", Python "py::run:/srv/app.py". */
static void find_place(struct name_parts *p, const char *name, uint32_t len)
{
	const char *at = NULL, *slash, *space = strrchr(name, ' ');

	for (const char *s = strchr(name, '/'); s && !at; s = strchr(s + 1, '/'))
		if (s > name && (s[-1] == ' ' || s[-1] == ':'))
			at = s - 1;
	if (!at && space && space > name && is_line_at_end(space))
		at = space;
	/* file:///srv/app.js */
	if (at && *at == ':' && space && space < at)
		at = space;
	if (at && is_in_group(p, (uint32_t)(at - name)))
		at = NULL;
	p->place = at && at > name ? (uint32_t)(at - name) : len;
	slash = at ? strrchr(at, '/') : NULL;
	if (slash && is_in_group(p, (uint32_t)(slash - name)))
		slash = NULL;
	p->file = !at ? len : slash ? (uint32_t)(slash + 1 - name) : p->place + 1;
}

/* --- components -------------------------------------------------------------------------------- */

struct walk {
	struct name_parts *p;
	const char *name;
	uint32_t at, len;
	size_t group;	 /* the first that is not before `at` */
	uint32_t prefix; /* of words as "vtable for " */
	bool spaces, params;
};

/* The closed group that begins here, or NULL. */
static const struct name_group *group_at(struct walk *w, uint32_t at)
{
	const struct name_group *g = w->p->groups.data;
	size_t n = w->p->groups.len;

	while (w->group < n && g[w->group].open < w->at)
		w->group++;
	for (size_t i = w->group; i < n && g[i].open <= at; i++)
		if (g[i].open == at)
			return g[i].close ? &g[i] : NULL;
	return NULL;
}

/* Length of what separates components here, or 0. */
static uint32_t separator_len(struct walk *w)
{
	const char *s = w->name + w->at;
	char before = w->at ? s[-1] : '\0', after = *s ? s[1] : '\0';
	const struct name_group *g;

	switch (*s) {
	case ':':
		if (after == ':') {
			g = s[2] == '<' ? group_at(w, w->at + 2) : NULL;
			return g && g->kind == GROUP_ARGS ? 0 : 2; /* Rust's f::<T> */
		}
		return name_is_word(before) && after &&
		       (name_is_word(after) || strchr("~*^+", after));
	case '.':
		return (name_is_word(before) || (before && strchr(closing, before))) &&
		       (name_is_word(after) || (after && strchr(opening, after) && after != '['));
	case '/': /* Erlang's f/2 is a name */
		return name_is_word(before) && name_is_word(after) &&
		       !isdigit((unsigned char)after);
	case ';':
	case '\\':
		return name_is_word(after);
	default:
		return 0;
	}
}

/* Whether a component follows parameters, past qualifiers. */
static bool goes_on(const char *s)
{
	static const char *const words[] = {" const", " volatile", " &&", " &", "[abi:cxx11]"};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (!starts(s, words[i]))
			continue;
		s += strlen(words[i]);
		i = (size_t)-1; /* and begins again */
	}
	return starts(s, "::") || (*s == '.' && name_is_word(s[1])) || (*s && strchr("({<[", *s));
}

static int restart(struct walk *w, uint32_t at, uint32_t path)
{
	w->p->components.len = 0;
	w->p->path = path;
	return vec_push(&w->p->components, at);
}

/* What is before a space is a return type, or says what of a function this is. */
static int take_space(struct walk *w)
{
	static const char *const words[] = {" for", " to", " in", " of"};
	uint32_t next = w->at + 1;

	if (w->params || strchr("(&*[< ", w->name[next]))
		return 0;
	w->spaces = true;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (ends(w->name, w->at, words[i]))
			w->prefix = next;
	w->p->begin = w->prefix ? 0 : next;
	return restart(w, next, w->p->begin);
}

static int take_separator(struct walk *w, uint32_t len)
{
	uint32_t next = w->at + len;

	/* V8's "LazyCompile:~run /srv/app.js:12", Python's "py::run:/srv/app.py" */
	bool is_kind = w->p->place < w->len &&
		       (len == 1 ? w->name[w->at] == ':' : w->at == 2 && starts(w->name, "py::"));

	if (w->name[w->at] == '/' || is_kind)
		w->p->path = next;
	w->at = next;
	return vec_push(&w->p->components, next);
}

/* "operator int" goes up to its parameters. */
static void take_operator(struct walk *w, uint32_t len)
{
	w->at += len;
	if (w->name[w->at] != ' ' || w->name[w->at + 1] == '<')
		return;
	while (w->at < w->p->place) {
		const struct name_group *g = group_at(w, w->at);

		if (g && w->name[w->at] == '(')
			return;
		w->at = g ? g->close + 1 : w->at + 1;
	}
}

/* One step; false at the end of the components. */
static bool step(struct walk *w, int *err)
{
	uint32_t n = name_operator_len(w->name, w->at);
	const struct name_group *g;

	if (n) {
		take_operator(w, n);
		return true;
	}
	g = group_at(w, w->at);
	if (g) {
		w->at = g->close + 1;
		if (g->kind != GROUP_ARGS || w->name[g->open] != '(')
			return true;
		w->params = true;
		w->p->end = w->at;
		return goes_on(w->name + w->at);
	}
	n = separator_len(w);
	if (n) {
		*err = take_separator(w, n);
		return true;
	}
	if (w->name[w->at] == ' ')
		*err = take_space(w);
	w->at++;
	return true;
}

/* Says little by itself: "{lambda(int)#1}", "operator()", Go's "func1", V8's "~". */
static bool is_weak(const char *s, size_t len)
{
	static const char *const words[] = {"part", "isra",	  "cold", "constprop", "lto_priv",
					    "llvm", "localalias", "_FUN", NULL},
				 *const numbered[] = {"func", "gowrap", "deferwrap", "$_", ""};
	size_t word = word_len(s);

	if (word > len)
		word = len;
	if (len == strspn(s, "~*^+") || strchr("{<('", *s) || starts(s, "operator()"))
		return true;
	for (size_t i = 0; i < sizeof(numbered) / sizeof(*numbered); i++) {
		size_t n = strlen(numbered[i]);

		if (word > n && starts(s, numbered[i]) && strspn(s + n, "0123456789") == word - n)
			return true;
	}
	return is_one_of(s, word, words);
}

/* Legacy names of Rust end in a hash. */
static void drop_hash(struct name_parts *p, const char *name)
{
	uint32_t last = p->components.len ? vec_last(&p->components) : 0;

	if (p->components.len > 1 && p->end - last == 17 && ends(name, last, "::") &&
	    name[last] == 'h' && strspn(name + last + 1, "0123456789abcdef") == 16) {
		p->components.len--;
		p->end = last - 2;
	}
}

static void find_own(struct name_parts *p, const char *name, size_t len)
{
	uint32_t end = p->end;

	while (p->components.len > 1) {
		uint32_t from = vec_last(&p->components), n = end > from ? end - from : 0;

		if (n && (!is_weak(name + from, n) || p->place < len))
			break;
		end = from;
		p->components.len--;
	}
	p->nameless = p->components.len && p->place > vec_last(&p->components) &&
		      strspn(name + p->place - 1, "~*^+:");
}

/* Swift: "closure #1 (Swift.Int) -> () in app.run()" */
static void skip_closure(struct walk *w)
{
	const char *in = starts(w->name, "closure #") ? strstr(w->name, " in ") : NULL;

	for (const char *next = in; next; next = strstr(next + 1, " in "))
		in = next;
	if (in && !is_in_group(w->p, (uint32_t)(in - w->name)))
		w->prefix = w->at = (uint32_t)(in + 4 - w->name);
}

/* V8's "RegExp:a b(c)" has no type before it. */
static bool is_kind_of_code(const char *name, uint32_t len)
{
	uint32_t word = (uint32_t)word_len(name);

	return word && word + 1 < len && name[word] == ':' && name[word + 1] != ':';
}

int name_parts_find(struct name_parts *p, const char *name, size_t len)
{
	struct walk w = {.p = p, .name = name, .len = (uint32_t)len};
	int err = find_groups(p, name, (uint32_t)len);

	skip_closure(&w);
	err = err ?: restart(&w, w.at, 0);
	find_place(p, name, (uint32_t)len);
	p->end = p->place;
	while (!err && w.at < p->place && step(&w, &err))
		;
	/* Words without parameters: "Interpreter stub". */
	if (!err && w.spaces && !w.prefix && (!w.params || is_kind_of_code(name, p->begin))) {
		p->begin = 0;
		err = restart(&w, 0, 0);
	}
	if (err)
		return err;
	if (w.params && p->components.len && vec_last(&p->components) > p->end)
		p->end = p->place;
	drop_hash(p, name);
	find_own(p, name, len);
	if (p->path > vec_last(&p->components) || p->path < p->begin)
		p->path = p->begin;
	return 0;
}
