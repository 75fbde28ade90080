// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/base/log.h"
#include "profiler/base/text.h"
#include "profiler/base/vec.h"
#include "profiler/cli/command.h"
#include "profiler/base/suggest.h"

enum common_id { COMMON_HELP, COMMON_QUIET, COMMON_VERBOSE, COMMON_COLOR };

const struct option_spec options_common[] = {
	{"color", 0, COLOR_WORDS, "colour; auto: on a terminal, unless NO_COLOR is set",
	 COMMON_COLOR},
	{"quiet", 'q', NULL, "say nothing but errors", COMMON_QUIET},
	{"verbose", 'v', NULL, "say more", COMMON_VERBOSE},
	{"help", 'h', NULL, "show this help", COMMON_HELP},
	{0},
};

/* getopt_long() returns this plus i for option i; letters are smaller. */
#define FIRST_LONG 256

struct options_state {
	VEC(const struct option_spec *) specs; /* of the command, then the common ones */
	size_t n_own;
	VEC(struct option) longs; /* parallel to specs, zero-terminated */
	struct buf letters;
};

int usage_error(const struct command *cmd, const char *fmt, ...)
{
	struct buf b = {0};
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	log_error("%s: %s\nTry: kiln %s --help", cmd->name, buf_cstr(&b), cmd->name);
	buf_release(&b);
	return EXIT_USAGE;
}

static int add_specs(struct options_state *s, const struct option_spec *specs)
{
	for (; specs && specs->name; specs++) {
		struct option o = {
			.name = specs->name,
			.has_arg = !specs->arg		? no_argument
				   : *specs->arg == '[' ? optional_argument
							: required_argument,
			.val = FIRST_LONG + (int)s->specs.len,
		};

		if (vec_push(&s->specs, specs) || vec_push(&s->longs, o))
			return -ENOMEM;
		if (!specs->short_name)
			continue;
		buf_char(&s->letters, specs->short_name);
		if (specs->arg)
			buf_char(&s->letters, ':');
	}
	return 0;
}

static int begin(struct options *o)
{
	struct options_state *s = calloc(1, sizeof(*s));

	o->state = s;
	if (!s)
		return -ENOMEM;
	/* ':' separates a missing value from an unknown option. '+' stops at the first operand. */
	buf_str(&s->letters, o->stop_at_operand ? "+:" : ":");
	if (add_specs(s, o->cmd->options))
		return -ENOMEM;
	s->n_own = s->specs.len;
	if (add_specs(s, options_common) || vec_push(&s->longs, (struct option){0}))
		return -ENOMEM;
	buf_cstr(&s->letters);
	optind = 0; /* resets glibc's getopt */
	opterr = 0;
	return s->letters.err;
}

static const struct option_spec *find_spec(const struct options_state *s, int value, size_t *index)
{
	for (size_t i = 0; i < s->specs.len; i++) {
		if (value == FIRST_LONG + (int)i ||
		    (value && value == s->specs.data[i]->short_name)) {
			*index = i;
			return s->specs.data[i];
		}
	}
	return NULL;
}

/* Copies the name out of "--by" or "--ca...", without "=value". */
static size_t long_name(const char *word, char *name, size_t size)
{
	size_t len = strcspn(word + 2, "=");

	len = len < size ? len : size - 1;
	memcpy(name, word + 2, len);
	name[len] = '\0';
	return len;
}

static void say_unknown_long(const struct options *o, const char *word)
{
	const struct options_state *s = o->state;
	char name[128];
	size_t len = long_name(word, name, sizeof(name));
	struct suggest near = {.typed = name};
	struct buf matches = {0};
	int n = 0;

	for (size_t i = 0; i < s->specs.len; i++) {
		const char *known = s->specs.data[i]->name;

		suggest_consider(&near, known);
		if (len && !strncmp(known, name, len))
			buf_printf(&matches, "%s--%s", n++ ? ", " : "", known);
	}
	if (n > 1)
		usage_error(o->cmd, "--%s could be any of %s", name, buf_cstr(&matches));
	else if (near.best)
		usage_error(o->cmd, "unknown option --%s (did you mean --%s?)", name, near.best);
	else
		usage_error(o->cmd, "unknown option --%s", name);
	buf_release(&matches);
}

static int say_wrong(const struct options *o, int what)
{
	const struct option_spec *spec;
	size_t index;

	spec = find_spec(o->state, optopt, &index);
	if (what == ':' && spec)
		usage_error(o->cmd, "option --%s needs a value: %s", spec->name, spec->arg);
	else if (spec)
		usage_error(o->cmd, "option --%s takes no value", spec->name);
	else if (optopt)
		usage_error(o->cmd, "unknown option -%c", optopt);
	else
		say_unknown_long(o, o->argv[optind - 1]);
	return OPTIONS_ERROR;
}

/* Handles a common option. True if the walk goes on; else *end is set. */
static bool handle_common(struct options *o, int id, int *end)
{
	int word;

	switch (id) {
	case COMMON_QUIET:
		log_set_level(LOG_QUIET);
		return true;
	case COMMON_VERBOSE:
		log_set_level(LOG_VERBOSE);
		return true;
	case COMMON_COLOR:
		word = option_word(o, "--color", COLOR_WORDS);
		*end = OPTIONS_ERROR;
		if (word < 0)
			return false;
		o->color = (enum color_when)word;
		return true;
	default:
		command_print_help(o->cmd);
		*end = OPTIONS_HELP;
		return false;
	}
}

int options_next(struct options *o)
{
	struct options_state *s;
	int end;

	if (!o->state && begin(o)) {
		log_error("out of memory");
		return OPTIONS_ERROR;
	}
	s = o->state;
	for (;;) {
		const struct option_spec *spec;
		size_t index;
		int value = getopt_long(o->argc, o->argv, s->letters.data, s->longs.data, NULL);

		if (value < 0)
			return OPTIONS_END;
		spec = value == '?' || value == ':' ? NULL : find_spec(s, value, &index);
		if (!spec)
			return say_wrong(o, value);
		o->arg = optarg;
		if (index < s->n_own)
			return spec->id;
		if (!handle_common(o, spec->id, &end))
			return end;
	}
}

char **options_operands(struct options *o, int *n)
{
	*n = o->argc - optind;
	return o->argv + optind;
}

void options_release(struct options *o)
{
	struct options_state *s = o->state;

	if (!s)
		return;
	vec_release(&s->specs);
	vec_release(&s->longs);
	buf_release(&s->letters);
	free(s);
	o->state = NULL;
}

int option_u64(const struct options *o, const char *what, unsigned long long min,
	       unsigned long long max, unsigned long long *out)
{
	uint64_t v;

	if (text_parse_u64(o->arg, max, &v) || v < min) {
		usage_error(o->cmd, "%s: \"%s\" is not a whole number from %llu to %llu", what,
			    o->arg, min, max);
		return -EINVAL;
	}
	*out = v;
	return 0;
}

int option_duration_ns(const struct options *o, const char *what, unsigned long long *out)
{
	uint64_t v;

	if (text_parse_duration_ns(o->arg, &v)) {
		usage_error(o->cmd, "%s: \"%s\" is not a duration such as 10, 10s, 1.5m or 500ms",
			    what, o->arg);
		return -EINVAL;
	}
	*out = v;
	return 0;
}

int option_find_word(const struct options *o, const char *words)
{
	size_t len = strlen(o->arg), matches = 0;
	int i = 0, found = -ENOENT;

	for (const char *w = words; *w && len; i++) {
		size_t n = strcspn(w, "|");

		if (len <= n && !memcmp(w, o->arg, len)) {
			found = i;
			matches++;
			if (len == n)
				return i;
		}
		w += n + (w[n] == '|');
	}
	return matches > 1 ? -EEXIST : found;
}

int option_word(const struct options *o, const char *what, const char *words)
{
	int found = option_find_word(o, words);

	if (found >= 0)
		return found;
	usage_error(o->cmd, "%s: \"%s\" is %s %s", what, o->arg,
		    found == -EEXIST ? "more than one of" : "none of", words);
	return -EINVAL;
}
