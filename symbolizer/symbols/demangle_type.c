// SPDX-License-Identifier: GPL-2.0-or-later
/* Types, lists of them, and arguments of templates: see demangle_priv.h. */
#include "symbolizer/symbols/demangle_priv.h"

static const char *const builtins[26] = {
	['a' - 'a'] = "signed char", ['b' - 'a'] = "bool",
	['c' - 'a'] = "char",	     ['d' - 'a'] = "double",
	['e' - 'a'] = "long double", ['f' - 'a'] = "float",
	['g' - 'a'] = "__float128",  ['h' - 'a'] = "unsigned char",
	['i' - 'a'] = "int",	     ['j' - 'a'] = "unsigned int",
	['l' - 'a'] = "long",	     ['m' - 'a'] = "unsigned long",
	['n' - 'a'] = "__int128",    ['o' - 'a'] = "unsigned __int128",
	['s' - 'a'] = "short",	     ['t' - 'a'] = "unsigned short",
	['v' - 'a'] = "void",	     ['w' - 'a'] = "wchar_t",
	['x' - 'a'] = "long long",   ['y' - 'a'] = "unsigned long long",
	['z' - 'a'] = "...",
};

/* --- what modifies a type ------------------------------------------------------------------------- */

/* Text at the split; what comes next goes behind it. */
static bool insert(struct cpp *d, struct cpp_text *t, const char *s)
{
	uint32_t len = (uint32_t)strlen(s), tail = t->end - t->split;

	if (len > d->side - d->head)
		return false;
	if (tail) {
		memmove(d->buf + t->split + len, d->buf + t->split, tail);
		cpp_shift(d, t->split, t->end, len);
	}
	memcpy(d->buf + t->split, s, len);
	d->head += len;
	t->split += len;
	t->end += len;
	return true;
}

/* In parentheses where functions and arrays need them. */
static bool modify(struct cpp *d, struct cpp_text *t, const char *s)
{
	uint8_t kind = t->kind;

	if (kind == CPP_FUNC || kind == CPP_ARRAY) {
		if (!insert(d, t, kind == CPP_FUNC ? "()" : " ()"))
			return false;
		t->split--;
		t->kind = CPP_WRAPPED;
	}
	return insert(d, t, s);
}

static bool pointer(struct cpp *d, struct cpp_text *t)
{
	char c = *d->p++, of = *d->p;

	if (!cpp_type(d, t) || t->kind == CPP_PACK)
		return false;
	if (c == 'P') {
		t->flags = 0;
		return modify(d, t, "*");
	}
	/* A reference to what a parameter makes a reference: "&" is stronger. */
	if (t->flags & (CPP_REF | CPP_RREF)) {
		if (of != 'T' || (c == 'R' && (t->flags & CPP_RREF)))
			return false;
		t->flags &= CPP_REF | CPP_RREF;
		return true;
	}
	t->flags = c == 'R' ? CPP_REF : CPP_RREF;
	return modify(d, t, c == 'R' ? "&" : "&&");
}

static bool function(struct cpp *d, struct cpp_text *t)
{
	d->p++;
	if (*d->p == 'Y' || *d->p == 'J' || !cpp_type(d, t) || t->kind != CPP_PLAIN ||
	    !cpp_emit_str(d, " "))
		return false;
	t->split = d->head;
	t->kind = CPP_FUNC;
	t->flags = 0;
	if (!cpp_emit_str(d, "(") || !cpp_params(d) || !cpp_emit_str(d, ")") || !cpp_take(d, 'E'))
		return false;
	t->end = d->head;
	return true;
}

static bool qualified(struct cpp *d, struct cpp_text *t)
{
	bool is_const = *d->p++ == 'K';
	const char *text = is_const ? " const" : " volatile";

	if (*d->p == 'F') { /* of the object that the function is called on */
		if (!function(d, t) || !cpp_emit_str(d, text))
			return false;
		t->end = d->head;
		return true;
	}
	if (!cpp_type(d, t) || (t->flags & CPP_CV) ||
	    (t->kind != CPP_PLAIN && t->kind != CPP_WRAPPED))
		return false;
	t->flags = CPP_CV;
	return insert(d, t, text);
}

static bool array(struct cpp *d, struct cpp_text *t)
{
	const char *dim = ++d->p;
	size_t len;

	while (is_digit(*d->p))
		d->p++;
	len = (size_t)(d->p - dim);
	if (!len || !cpp_take(d, '_') || !cpp_type(d, t) || t->kind != CPP_PLAIN)
		return false;
	t->kind = CPP_ARRAY;
	t->flags = 0;
	t->split = d->head;
	if (!cpp_emit_str(d, " [") || !cpp_emit(d, dim, len) || !cpp_emit_str(d, "]"))
		return false;
	t->end = d->head;
	return true;
}

/* "M", the class, the member: the class is said last. */
static bool member_pointer(struct cpp *d, struct cpp_text *t)
{
	struct cpp_text class;
	uint32_t start = d->head;
	char text[512];
	size_t len;

	d->p++;
	if (!cpp_type(d, &class) || class.kind != CPP_PLAIN)
		return false;
	len = class.end - class.off;
	if (len + sizeof(" ::*") > sizeof(text) || !cpp_move_aside(d, start, &class) ||
	    !cpp_type(d, t) || (t->kind != CPP_PLAIN && t->kind != CPP_FUNC))
		return false;
	text[0] = ' ';
	memcpy(text + 1, d->buf + class.off, len);
	memcpy(text + 1 + len, "::*", 4);
	t->flags = 0;
	return modify(d, t, text + (t->kind == CPP_FUNC));
}

/* --- template parameters -------------------------------------------------------------------------- */

static int nth(const struct cpp *d, int arg, unsigned n)
{
	while (arg != CPP_NO_ARGS && n--)
		arg = d->args[arg].next;
	return arg;
}

static int count(const struct cpp *d, int arg)
{
	int n = 0;

	for (; arg != CPP_NO_ARGS; arg = d->args[arg].next)
		n++;
	return n;
}

static bool parameter(struct cpp *d, struct cpp_text *t)
{
	const struct cpp_item *arg;
	unsigned index;
	int at;

	d->p++;
	if (!cpp_index(d, &index) || *d->p == 'I' || d->in_lambda)
		return false;
	at = nth(d, d->scope_args, index);
	if (at == CPP_NO_ARGS)
		return false;
	d->params++;
	arg = &d->args[at];
	if (arg->text.kind != CPP_PACK)
		return cpp_copy(d, &arg->text, t);
	if (!d->in_pack || arg->first == CPP_POISON_ARG)
		return false;
	if (d->pack_len < 0)
		d->pack_len = count(d, arg->first);
	if (!d->pack_len) {
		*t = (struct cpp_text){.off = d->head, .split = d->head, .end = d->head};
		return true;
	}
	at = nth(d, arg->first, d->pack_at);
	return at != CPP_NO_ARGS && cpp_copy(d, &d->args[at].text, t);
}

/* "Dp": the pattern behind it once for each type of a pack. */
static bool expansion(struct cpp *d, struct cpp_text *t)
{
	const char *pattern = d->p;
	uint32_t start = d->head;
	unsigned n_subs = d->n_subs, n_args = d->n_args;
	bool ok = true;

	if (d->in_pack)
		return false;
	d->in_pack = true;
	d->pack_len = -1;
	d->pack_at = 0;
	do {
		d->p = pattern;
		d->n_subs = n_subs;
		d->n_args = n_args;
		ok = (!d->pack_at || cpp_emit_str(d, ", ")) && cpp_type(d, t) && d->pack_len >= 0;
	} while (ok && (int)++d->pack_at < d->pack_len);
	d->in_pack = false;
	if (!d->pack_len)
		d->head = start;
	*t = (struct cpp_text){start, d->head, d->head, CPP_PACK, CPP_POISON};
	return ok;
}

/* --- types ---------------------------------------------------------------------------------------- */

static bool class_type(struct cpp *d, struct cpp_text *t, bool *subst)
{
	struct cpp_name n;

	if (!cpp_name(d, &n) || n.is_const || n.ref)
		return false;
	*subst = !n.is_standard;
	t->split = t->end = d->head;
	t->flags = CPP_CLASS;
	return true;
}

static bool substituted(struct cpp *d, struct cpp_text *t, bool *subst)
{
	int args;

	if (!is_digit(d->p[1]) && d->p[1] != '_' && !is_upper(d->p[1]))
		return class_type(d, t, subst);
	if (!cpp_numbered_sub(d, t))
		return false;
	*subst = *d->p == 'I';
	if (!*subst)
		return true;
	if (!(t->flags & CPP_CLASS) || !cpp_template_args(d, &args))
		return false;
	t->flags = CPP_CLASS;
	t->split = t->end = d->head;
	return true;
}

static bool two_letters(struct cpp *d, struct cpp_text *t, bool *subst)
{
	char c = d->p[1];

	d->p += c ? 2 : 1;
	if (c == 'p')
		return expansion(d, t);
	*subst = false;
	if (c != 'n' && c != 's' && c != 'i')
		return false;
	if (!cpp_emit_str(d, c == 'n' ? "decltype(nullptr)" : c == 's' ? "char16_t" : "char32_t"))
		return false;
	t->split = t->end = d->head;
	return true;
}

static bool builtin(struct cpp *d, struct cpp_text *t)
{
	const char *text = is_lower(*d->p) ? builtins[*d->p - 'a'] : NULL;

	if (!text || !cpp_emit_str(d, text))
		return false;
	d->p++;
	t->split = t->end = d->head;
	return true;
}

static bool any_type(struct cpp *d, struct cpp_text *t, bool *subst)
{
	switch (*d->p) {
	case 'K':
	case 'V':
		return qualified(d, t);
	case 'P':
	case 'R':
	case 'O':
		return pointer(d, t);
	case 'F':
		return function(d, t);
	case 'A':
		return array(d, t);
	case 'M':
		return member_pointer(d, t);
	case 'T':
		return parameter(d, t);
	case 'S':
		return substituted(d, t, subst);
	case 'D':
		return two_letters(d, t, subst);
	case 'N':
	case 'Z':
		return class_type(d, t, subst);
	default:
		if (is_digit(*d->p))
			return class_type(d, t, subst);
		*subst = false;
		return builtin(d, t);
	}
}

bool cpp_type(struct cpp *d, struct cpp_text *t)
{
	unsigned params = d->params;
	bool subst = true;

	*t = (struct cpp_text){.off = d->head};
	if (++d->depth > CPP_DEPTH_MAX || !any_type(d, t, &subst))
		return false;
	d->depth--;
	return !subst || cpp_add_sub(d, t, params);
}

/* --- lists ---------------------------------------------------------------------------------------- */

/*
 * An item of a list may say nothing: then there is no comma either, if nothing comes behind it. But
 * libiberty remembers that a comma was printed, and sees no ">" before it: where that matters, it is
 * asked.
 */
struct list {
	uint32_t end; /* behind the last item that says something, or where the list starts */
	bool any;
};

static bool next_item(struct cpp *d, struct list *l)
{
	bool first = !l->any;

	l->any = true;
	return first || cpp_emit_str(d, ", ");
}

static void end_item(struct cpp *d, struct list *l, uint32_t start)
{
	if (d->head > start)
		l->end = d->head;
}

static bool end_list(struct cpp *d, const struct list *l)
{
	bool cut = d->head > l->end;

	d->head = l->end;
	return !cut || !l->end || d->buf[l->end - 1] != '>';
}

bool cpp_params(struct cpp *d)
{
	struct list l = {.end = d->head};
	struct cpp_text t;

	if (*d->p == 'v' && (!d->p[1] || d->p[1] == 'E')) {
		d->p++;
		return true;
	}
	while (*d->p && *d->p != 'E') {
		uint32_t start;

		if (!next_item(d, &l))
			return false;
		start = d->head;
		if (!cpp_type(d, &t))
			return false;
		/* libiberty would show some of these with what modifies the lambda. */
		if (d->in_lambda && (t.kind != CPP_PLAIN || (t.flags & CPP_CV)))
			return false;
		end_item(d, &l, start);
	}
	return l.any && end_list(d, &l);
}

/* "L", a type, a number, "E" */
static bool literal(struct cpp *d)
{
	static const char types[] = "ijlmxy";
	static const char *const suffixes[] = {"", "u", "l", "ul", "ll", "ull"};
	char c = *++d->p;
	const char *of = c ? strchr(types, c) : NULL, *digits;
	struct cpp_text t;

	if (c == 'b' && (d->p[1] == '0' || d->p[1] == '1') && d->p[2] == 'E') {
		d->p += 3;
		return cpp_emit_str(d, d->p[-2] == '0' ? "false" : "true");
	}
	if (of) {
		d->p++;
	} else {
		if (!strchr("achstwnoNS", c) && !is_digit(c))
			return false;
		if (!cpp_emit_str(d, "(") || !cpp_type(d, &t) || t.kind != CPP_PLAIN ||
		    !cpp_emit_str(d, ")"))
			return false;
	}
	if (*d->p == 'n' && (!cpp_emit_str(d, "-") || !d->p++))
		return false;
	digits = d->p;
	while (is_digit(*d->p))
		d->p++;
	return d->p > digits && cpp_emit(d, digits, (size_t)(d->p - digits)) && cpp_take(d, 'E') &&
	       (!of || cpp_emit_str(d, suffixes[of - types]));
}

static bool arg_list(struct cpp *d, int *args);

static bool one_arg(struct cpp *d, struct cpp_item *item)
{
	struct cpp_text *t = &item->text;
	uint32_t start = d->head;

	*t = (struct cpp_text){.off = start};
	item->first = CPP_NO_ARGS;
	if (*d->p == 'J') {
		d->p++;
		t->kind = CPP_PACK;
		if (!arg_list(d, &item->first))
			return false;
	} else if (*d->p == 'L') {
		if (!literal(d))
			return false;
	} else {
		if (!cpp_type(d, t))
			return false;
		if (t->kind == CPP_PACK)
			item->first = CPP_POISON_ARG;
		return t->kind == CPP_PLAIN || t->kind == CPP_PACK || cpp_copy_aside(d, t);
	}
	t->split = t->end = d->head;
	return true;
}

/* Arguments up to "E", as they are shown; *args is the first. */
static bool arg_list(struct cpp *d, int *args)
{
	struct list l = {.end = d->head};
	int *link = args;

	*args = CPP_NO_ARGS;
	if (++d->depth > CPP_DEPTH_MAX)
		return false;
	while (*d->p != 'E') {
		struct cpp_item item = {.next = CPP_NO_ARGS};
		uint32_t start;

		if (!next_item(d, &l))
			return false;
		start = d->head;
		if (!one_arg(d, &item) || d->n_args >= CPP_ARGS_MAX)
			return false;
		end_item(d, &l, start);
		d->args[d->n_args] = item;
		*link = (int)d->n_args;
		link = &d->args[d->n_args++].next;
	}
	d->p++;
	d->depth--;
	return end_list(d, &l);
}

bool cpp_template_args(struct cpp *d, int *args)
{
	struct cpp_text last = d->last_name;

	d->p++;
	if (d->head && d->buf[d->head - 1] == '<' && !cpp_emit_str(d, " "))
		return false;
	if (!cpp_emit_str(d, "<") || !arg_list(d, args))
		return false;
	if (d->buf[d->head - 1] == '>' && !cpp_emit_str(d, " "))
		return false;
	d->last_name = last;
	return cpp_emit_str(d, ">");
}
