// SPDX-License-Identifier: GPL-2.0-or-later
/* Names: encodings, nested and local names, operators, lambdas. demangle_type.c has types. */
#include "symbolizer/symbols/demangle_cpp.h"

#include <string.h>

#include "symbolizer/symbols/demangle_priv.h"

/* --- text ----------------------------------------------------------------------------------------- */

bool cpp_emit(struct cpp *d, const char *s, size_t len)
{
	if (len > d->side - d->head)
		return false;
	memcpy(d->buf + d->head, s, len);
	d->head += (uint32_t)len;
	return true;
}

bool cpp_emit_number(struct cpp *d, unsigned n)
{
	char digits[10], *p = digits + sizeof(digits);

	do
		*--p = (char)('0' + n % 10);
	while (n /= 10);
	return cpp_emit(d, p, (size_t)(digits + sizeof(digits) - p));
}

/* To where it stays as it is while what is at the head is still worked on. */
bool cpp_copy_aside(struct cpp *d, struct cpp_text *t)
{
	uint32_t len = t->end - t->off;

	if (len > d->side - d->head)
		return false;
	d->side -= len;
	memcpy(d->buf + d->side, d->buf + t->off, len);
	t->split = d->side + (t->split - t->off);
	t->off = d->side;
	t->end = d->side + len;
	return true;
}

static void shift(struct cpp_text *t, uint32_t from, uint32_t to, uint32_t by)
{
	if (t->off < from || t->off >= to)
		return;
	t->off += by;
	t->split += by;
	t->end += by;
}

/* What refers to text from `from` to `to`, which moved by `by`. */
void cpp_shift(struct cpp *d, uint32_t from, uint32_t to, uint32_t by)
{
	for (unsigned i = 0; i < d->n_subs; i++)
		shift(&d->subs[i].text, from, to, by);
	for (unsigned i = 0; i < d->n_args; i++)
		shift(&d->args[i].text, from, to, by);
	shift(&d->last_name, from, to, by);
}

/* All that was written from `start` on, with what refers to it. *moved: where it is. */
bool cpp_move_aside(struct cpp *d, uint32_t start, struct cpp_text *moved)
{
	uint32_t end = d->head;

	*moved = (struct cpp_text){.off = start, .split = end, .end = end};
	if (!cpp_copy_aside(d, moved))
		return false;
	cpp_shift(d, start, end, moved->off - start);
	d->head = start;
	return true;
}

/* Decimal, as many digits as there are. */
bool cpp_number(struct cpp *d, unsigned *n)
{
	const char *start = d->p;

	for (*n = 0; is_digit(*d->p); d->p++) {
		if (*n > 100000)
			return false;
		*n = *n * 10 + (unsigned)(*d->p - '0');
	}
	return d->p > start;
}

/* "_" is 0, "0_" is 1. */
bool cpp_index(struct cpp *d, unsigned *n)
{
	*n = 0;
	if (*d->p != '_') {
		if (!cpp_number(d, n))
			return false;
		++*n;
	}
	return cpp_take(d, '_');
}

/* --- substitutions -------------------------------------------------------------------------------- */

bool cpp_add_sub(struct cpp *d, const struct cpp_text *t, unsigned params)
{
	struct cpp_item *item = &d->subs[d->n_subs];

	if (d->n_subs >= CPP_SUBS_MAX)
		return false;
	d->n_subs++;
	item->text = *t;
	item->scope = d->scope;
	item->text.flags |= d->params != params ? CPP_SCOPED : 0;
	item->text.flags |= d->in_pack ? CPP_POISON : 0;
	return t->kind == CPP_PLAIN || cpp_copy_aside(d, &item->text);
}

/* The name written from off on. */
static bool add_name_sub(struct cpp *d, uint32_t off, unsigned params)
{
	struct cpp_text t = {off, d->head, d->head, CPP_PLAIN, CPP_CLASS};

	return cpp_add_sub(d, &t, params);
}

bool cpp_copy(struct cpp *d, const struct cpp_text *from, struct cpp_text *t)
{
	*t = *from;
	t->off = d->head;
	t->split = d->head + (from->split - from->off);
	t->end = d->head + (from->end - from->off);
	return cpp_emit(d, d->buf + from->off, from->end - from->off);
}

/* "S_", "S0_", ..., "S1Z_": what was said before, again. */
bool cpp_numbered_sub(struct cpp *d, struct cpp_text *t)
{
	const struct cpp_item *item;
	unsigned id = 0;

	d->p++;
	if (*d->p != '_') {
		for (; *d->p != '_'; d->p++) {
			if (id > 10000 || (!is_digit(*d->p) && !is_upper(*d->p)))
				return false;
			id = id * 36 + (unsigned)(is_digit(*d->p) ? *d->p - '0' : *d->p - 'A' + 10);
		}
		id++;
	}
	d->p++;
	if (id >= d->n_subs)
		return false;
	item = &d->subs[id];
	if (item->text.flags & CPP_POISON)
		return false;
	if (item->text.flags & CPP_SCOPED) {
		if (item->scope != d->scope)
			return false;
		d->params++;
	}
	return cpp_copy(d, &item->text, t);
}

static const struct standard {
	char code;
	const char *text, *full, *last; /* full: where a constructor or destructor follows */
} standards[] = {
	{'a', "std::allocator", "std::allocator", "allocator"},
	{'b', "std::basic_string", "std::basic_string", "basic_string"},
	{'s', "std::string",
	 "std::basic_string<char, std::char_traits<char>, std::allocator<char> >", "basic_string"},
	{'i', "std::istream", "std::basic_istream<char, std::char_traits<char> >", "basic_istream"},
	{'o', "std::ostream", "std::basic_ostream<char, std::char_traits<char> >", "basic_ostream"},
	{'d', "std::iostream", "std::basic_iostream<char, std::char_traits<char> >",
	 "basic_iostream"},
};

/* "Sa" and the like, in front of what may be a constructor if it is a prefix. */
static bool standard_sub(struct cpp *d, bool prefix)
{
	for (size_t i = 0; i < sizeof(standards) / sizeof(*standards); i++) {
		const struct standard *s = &standards[i];
		struct cpp_text last = {0};

		if (d->p[1] != s->code)
			continue;
		d->p += 2;
		if (*d->p == 'B')
			return false;
		last.end = (uint32_t)strlen(s->last);
		if (last.end > d->side - d->head)
			return false;
		d->side -= last.end;
		memcpy(d->buf + d->side, s->last, last.end);
		last.off = d->side;
		last.end += d->side;
		d->last_name = last;
		return cpp_emit_str(d,
				    prefix && (*d->p == 'C' || *d->p == 'D') ? s->full : s->text);
	}
	return false;
}

/* --- unqualified names ---------------------------------------------------------------------------- */

/* No compiler takes others, and libiberty sets spaces by what looks like punctuation. */
static bool is_identifier(const char *s, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		if (!is_lower(s[i]) && !is_upper(s[i]) && !is_digit(s[i]) && s[i] != '_' &&
		    s[i] != '$' && s[i] != '.' && !(s[i] & 0x80))
			return false;
	return true;
}

static bool source_name(struct cpp *d)
{
	static const char anonymous[] = "_GLOBAL_";
	const size_t n = sizeof(anonymous) - 1;
	uint32_t off = d->head;
	unsigned len;
	const char *s;

	if (!cpp_number(d, &len) || !len || len > (size_t)(d->end - d->p) ||
	    !is_identifier(d->p, len))
		return false;
	s = d->p;
	d->p += len;
	if (len >= n + 2 && !memcmp(s, anonymous, n) && strchr("._$", s[n]) && s[n + 1] == 'N') {
		if (!cpp_emit_str(d, "(anonymous namespace)"))
			return false;
	} else if (!cpp_emit(d, s, len)) {
		return false;
	}
	d->last_name = (struct cpp_text){.off = off, .split = d->head, .end = d->head};
	return true;
}

/* An optional number behind a name of which there are several; it is not shown. */
static bool discriminator(struct cpp *d)
{
	unsigned n;
	bool two;

	if (*d->p != '_')
		return true;
	d->p++;
	two = *d->p == '_';
	d->p += two;
	if (!cpp_number(d, &n))
		return false;
	return !two || n < 10 || cpp_take(d, '_');
}

static const struct operator
{
	char code[3];
	const char *text;
}
operators[] = {
	{"aN", "&="}, {"aS", "="},	 {"aa", "&&"},	 {"ad", "&"},	   {"an", "&"},
	{"cl", "()"}, {"cm", ","},	 {"co", "~"},	 {"dV", "/="},	   {"da", " delete[]"},
	{"de", "*"},  {"dl", " delete"}, {"dv", "/"},	 {"eO", "^="},	   {"eo", "^"},
	{"eq", "=="}, {"ge", ">="},	 {"gt", ">"},	 {"ix", "[]"},	   {"lS", "<<="},
	{"le", "<="}, {"ls", "<<"},	 {"lt", "<"},	 {"mI", "-="},	   {"mL", "*="},
	{"mi", "-"},  {"ml", "*"},	 {"mm", "--"},	 {"na", " new[]"}, {"ne", "!="},
	{"ng", "-"},  {"nt", "!"},	 {"nw", " new"}, {"oR", "|="},	   {"oo", "||"},
	{"or", "|"},  {"pL", "+="},	 {"pl", "+"},	 {"pm", "->*"},	   {"pp", "++"},
	{"ps", "+"},  {"pt", "->"},	 {"rM", "%="},	 {"rS", ">>="},	   {"rm", "%"},
	{"rs", ">>"},
};

static bool operator_name(struct cpp *d)
{
	for (size_t i = 0; i < sizeof(operators) / sizeof(*operators); i++) {
		if (d->p[0] != operators[i].code[0] || d->p[1] != operators[i].code[1])
			continue;
		d->p += 2;
		return cpp_emit_str(d, "operator") && cpp_emit_str(d, operators[i].text);
	}
	return false;
}

/* "Ul", types of its parameters, "E", which one. */
static bool lambda(struct cpp *d)
{
	unsigned n;
	bool ok;

	d->p += 2;
	d->in_lambda++;
	ok = cpp_emit_str(d, "{lambda(") && cpp_params(d);
	d->in_lambda--;
	return ok && cpp_take(d, 'E') && cpp_index(d, &n) && cpp_emit_str(d, ")#") &&
	       cpp_emit_number(d, n + 1) && cpp_emit_str(d, "}");
}

static bool abi_tags(struct cpp *d)
{
	struct cpp_text last = d->last_name;

	while (*d->p == 'B') {
		d->p++;
		if (!cpp_emit_str(d, "[abi:") || !source_name(d) || !cpp_emit_str(d, "]"))
			return false;
	}
	d->last_name = last;
	return true;
}

static bool unqualified(struct cpp *d)
{
	bool ok;

	if (is_digit(*d->p)) {
		ok = source_name(d);
	} else if (is_lower(*d->p)) {
		ok = operator_name(d);
	} else if (*d->p == 'L') {
		d->p++;
		ok = source_name(d) && discriminator(d);
	} else {
		ok = d->p[0] == 'U' && d->p[1] == 'l' && lambda(d);
	}
	return ok && abi_tags(d);
}

/* The name of the class again, which was the last one said. */
static bool structor(struct cpp *d)
{
	bool dtor = *d->p == 'D';
	struct cpp_text t;

	if (!strchr(dtor ? "01245" : "12345", d->p[1]) || !d->p[1])
		return false;
	d->p += 2;
	return *d->p != 'B' && d->last_name.end && (!dtor || cpp_emit_str(d, "~")) &&
	       cpp_copy(d, &d->last_name, &t);
}

/* --- names ---------------------------------------------------------------------------------------- */

static bool template_args(struct cpp *d, struct cpp_name *n)
{
	n->is_template = true;
	return cpp_template_args(d, &n->args);
}

/* What a nested name begins with, if that is a substitution. */
static bool prefix_sub(struct cpp *d)
{
	struct cpp_text t;

	if (d->p[1] == 't') {
		d->p += 2;
		return cpp_emit_str(d, "std");
	}
	if (is_lower(d->p[1]))
		return standard_sub(d, true);
	/* It does not say what the class is called, for a constructor. */
	d->last_name = (struct cpp_text){0};
	return cpp_numbered_sub(d, &t) && (t.flags & CPP_CLASS);
}

static bool prefix_part(struct cpp *d, struct cpp_name *n, bool first)
{
	char c = *d->p;

	if (c == 'S')
		return first && prefix_sub(d) && *d->p != 'E';
	if (c == 'I')
		return !first && !n->is_template && template_args(d, n);
	n->is_template = false;
	n->is_structor = c == 'C' || c == 'D';
	if (!first && !cpp_emit_str(d, "::"))
		return false;
	return n->is_structor ? !first && structor(d) : unqualified(d);
}

static bool nested_name(struct cpp *d, struct cpp_name *n)
{
	unsigned params = d->params;
	uint32_t off = d->head;
	bool first = true;

	d->p++;
	n->is_const = *d->p == 'K';
	d->p += n->is_const;
	if (*d->p == 'r' || *d->p == 'V' || *d->p == 'K')
		return false;
	if (*d->p == 'R' || *d->p == 'O')
		n->ref = *d->p++;
	for (; *d->p != 'E'; first = false) {
		char c = *d->p;

		if (!prefix_part(d, n, first))
			return false;
		if (c != 'S' && *d->p != 'E' && !add_name_sub(d, off, params))
			return false;
	}
	d->p++;
	return !first;
}

static bool encoding(struct cpp *d, bool top, struct cpp_text *returns);

static bool local_name(struct cpp *d, struct cpp_name *n)
{
	d->p++;
	if (!encoding(d, false, NULL) || !cpp_take(d, 'E') || !cpp_emit_str(d, "::"))
		return false;
	/* String literals, default arguments and what is local to a local name. */
	if (*d->p == 's' || *d->p == 'd' || *d->p == 'Z')
		return false;
	return cpp_name(d, n) && (n->is_lambda || discriminator(d));
}

bool cpp_name(struct cpp *d, struct cpp_name *n)
{
	unsigned params = d->params;
	uint32_t off = d->head;
	bool again = false; /* a template that was named before */
	struct cpp_text t;

	*n = (struct cpp_name){.args = CPP_NO_ARGS};
	switch (*d->p) {
	case 'N':
		return nested_name(d, n);
	case 'Z':
		return local_name(d, n);
	case 'U':
		n->is_lambda = true;
		return unqualified(d) && d->p[-1] == '_';
	case 'S':
		if (d->p[1] == 't') {
			d->p += 2;
			if (!cpp_emit_str(d, "std::") || !unqualified(d))
				return false;
			break;
		}
		again = true;
		n->is_standard = is_lower(d->p[1]);
		if (n->is_standard ? !standard_sub(d, false)
				   : !cpp_numbered_sub(d, &t) || !(t.flags & CPP_CLASS))
			return false;
		break;
	default:
		if (!unqualified(d))
			return false;
	}
	if (*d->p != 'I')
		return true;
	n->is_standard = false;
	return (again || add_name_sub(d, off, params)) && template_args(d, n);
}

/* --- encodings ------------------------------------------------------------------------------------ */

static bool signature(struct cpp *d, const struct cpp_name *n, struct cpp_text *returns)
{
	struct cpp_text type;
	uint32_t start = d->head;

	if (*d->p == 'J')
		return false;
	if (n->is_template && !n->is_structor) {
		if (!cpp_type(d, &type) || type.kind != CPP_PLAIN ||
		    !cpp_move_aside(d, start, &type))
			return false;
		if (returns)
			*returns = type;
	}
	return cpp_emit_str(d, "(") && cpp_params(d) && cpp_emit_str(d, ")") &&
	       (!n->is_const || cpp_emit_str(d, " const")) &&
	       (!n->ref || cpp_emit_str(d, n->ref == 'R' ? " &" : " &&"));
}

/* Only at the top is what a function returns shown: *returns, empty if nothing is. */
static bool encoding(struct cpp *d, bool top, struct cpp_text *returns)
{
	unsigned scope = d->scope;
	int params = d->scope_args;
	struct cpp_name n;
	bool ok;

	if (*d->p == 'T' || *d->p == 'G' || ++d->depth > CPP_DEPTH_MAX)
		return false;
	d->scope = ++d->n_scopes;
	d->scope_args = CPP_NO_ARGS;
	ok = cpp_name(d, &n);
	if (ok && (!*d->p || *d->p == 'E')) {
		ok = !n.is_const && !n.ref && !n.is_standard;
	} else if (ok) {
		d->scope_args = n.args;
		if (!n.is_template)
			d->scope_args = CPP_NO_ARGS;
		ok = signature(d, &n, top ? returns : NULL);
	}
	d->scope = scope;
	d->scope_args = params;
	d->depth--;
	return ok;
}

/* "Th" and "Tv": a thunk, and by how much it moves the object, which is not shown. */
static bool thunk(struct cpp *d)
{
	bool is_virtual = d->p[1] == 'v';
	unsigned n;

	if (d->p[1] != 'h' && !is_virtual)
		return false;
	d->p += 2;
	for (int left = is_virtual ? 2 : 1; left; left--) {
		d->p += *d->p == 'n';
		if (!cpp_number(d, &n) || !cpp_take(d, '_'))
			return false;
	}
	return cpp_emit_str(d, is_virtual ? "virtual thunk to " : "non-virtual thunk to ");
}

size_t demangle_cpp(const char *name, char *out, size_t cap)
{
	struct cpp_text returns = {0};
	struct cpp d; /* mostly room that is written before it is read */
	size_t len, first;

	cpp_init(&d, name);
	if (*d.p == 'T' && !thunk(&d))
		return 0;
	first = d.head;
	if (!encoding(&d, true, &returns) || *d.p || (first && returns.end))
		return 0;
	first = returns.end - returns.off;
	len = first + (first ? 1 : 0) + d.head;
	if (len > cap)
		return 0;
	if (first) {
		memcpy(out, d.buf + returns.off, first);
		out[first++] = ' ';
	}
	memcpy(out + first, d.buf, d.head);
	return len;
}
