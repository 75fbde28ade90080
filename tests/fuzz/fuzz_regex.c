// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A regular expression, and behind a newline what it is tried on: whoever asks for labels or gives away a profile
 * writes it, so that its time and memory are bounded.
 */
#include <errno.h>
#include <locale.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/label_regex.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/prune.h"

#define TEXT_MAX 1024 /* of a label or a name */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* -EINVAL has a reason. */
static bool compiles(int err, const char *why)
{
	must(!err || err == -EINVAL || err == -ENOMEM);
	must((err == -EINVAL) == (why != NULL));
	return !err;
}

/* What matches as a whole matches as a part. */
static void match(const char *expression, const char *text)
{
	const char *why = NULL;
	regex_t whole, part;
	bool is_whole = false;
	int err = label_regex_compile(&whole, expression, &why);

	if (compiles(err, why)) {
		is_whole = !regexec(&whole, text, 0, NULL, 0);
		regfree(&whole);
	}
	why = NULL;
	err = label_regex_compile_part(&part, expression, &why);
	if (compiles(err, why)) {
		must(!regexec(&part, text, 0, NULL, 0) || !is_whole);
		regfree(&part);
	} else {
		must(!is_whole);
	}
}

/* The same as a foreign profile's "drop_frames", in Go's syntax. */
static void prune(const char *expression, const char *name)
{
	struct profile *p = profile_new(), *out = NULL;
	struct profile_function f = {0};
	struct profile_line line = {0};
	const char *why = NULL;
	uint32_t location, stack, set;
	int err;

	must(p && !profile_init_cpu(p, 1));
	err = profile_string(p, expression, &p->drop_frames) ?: profile_string(p, name, &f.name);
	err = err ?: profile_function(p, &f, &line.function);
	err = err ?: profile_location(p, PROFILE_NONE, 1, &line, 1, &location);
	err = err ?: profile_stack(p, (uint32_t[]){location, location}, 2, &stack);
	err = err ?: profile_labelset(p, NULL, 0, &set);
	must(!err && !profile_add(p, stack, set, (int64_t[]){1, 1}));
	err = profile_prune(&out, p, &why);
	compiles(err, why);
	must(!out || out->samples.len == 1);
	profile_free(out);
	profile_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *expression = strndup((const char *)data, size), *text;

	must(expression != NULL);
	setlocale(LC_CTYPE, "C.UTF-8");
	text = strchr(expression, '\n');
	if (text) {
		*text++ = '\0';
		text[strnlen(text, TEXT_MAX)] = '\0';
		match(expression, text);
		prune(expression, text);
	}
	free(expression);
	return 0;
}
