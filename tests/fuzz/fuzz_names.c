// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names of functions as foreign files have them, a line each, shortened for a terminal and grouped. The first byte picks
 * how many columns there are.
 */
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "profiler/profile/frame_role.h"
#include "profiler/profile/package.h"
#include "profiler/profile/short_name.h"

#define NAMES 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check_text(struct buf *b, size_t columns)
{
	const char *text = buf_cstr(b);

	must(!b->err && text_is_clean(text, b->len) && text_columns(text) <= columns);
	buf_release(b);
}

static void check_one(const char *name, size_t columns)
{
	struct buf b = {0};

	short_name(&b, name, columns);
	must(!*name || b.len);
	check_text(&b, columns);
	for (int own = 0; own < 2; own++) {
		short_name_bare(&b, name, own);
		must(b.len <= strlen(name) + 3 * NAMES);
		check_text(&b, SIZE_MAX);
	}
	for (int jit = 0; jit < 2; jit++) {
		must(package_of(&b, name, jit ? "" : "/src/a.go", jit) == (b.len > 0));
		must(b.len <= strlen(name));
		check_text(&b, SIZE_MAX);
	}
	must(package_directory(&b, name) == (b.len > 0));
	buf_release(&b);
	for (enum frame_kind kind = 0; kind <= FRAME_UNKNOWN; kind++)
		must(frame_role_of(name, name, kind) <= ROLE_ENGINE);
	frame_name_is_vague(name);
}

/* What differs looks different. */
static void check_all(char *const *names, size_t n, size_t columns)
{
	struct short_name v[NAMES];

	for (size_t i = 0; i < n; i++)
		v[i] = (struct short_name){.name = names[i], .suffix = ""};
	must(!short_names(v, n, columns));
	for (size_t i = 0; i < n; i++) {
		must(text_is_clean(v[i].text, strlen(v[i].text)));
		must(text_columns(v[i].text) <= columns);
		for (size_t k = 0; k < i; k++)
			must(!strcmp(v[i].name, v[k].name) == !strcmp(v[i].text, v[k].text));
	}
	short_names_release(v, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t columns = size ? 12 + data[0] % 100 : 0, n = 0;
	_cleanup_free_ char *text = size ? strndup((const char *)data + 1, size - 1) : NULL;
	char *names[NAMES], *rest = text, *line;

	setlocale(LC_CTYPE, "C.UTF-8");
	while (n < NAMES && (line = strsep(&rest, "\n"))) {
		names[n] = text_clean_dup(line, strlen(line));
		must(names[n] != NULL);
		check_one(names[n++], columns);
	}
	if (n)
		check_all(names, n, columns);
	while (n)
		free(names[--n]);
	return 0;
}
