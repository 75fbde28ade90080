// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/profile/thread_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/saturate.h"

static size_t without_digits(const char *name)
{
	size_t n = strlen(name);

	while (n && name[n - 1] >= '0' && name[n - 1] <= '9')
		n--;
	return n;
}

static bool parts_a_number(char c)
{
	return c && strchr("#-_:/ .", c);
}

bool thread_is_numbered(const char *name)
{
	size_t n = without_digits(name);

	return n > 1 && name[n] && parts_a_number(name[n - 1]);
}

/* How much of a name is left without its number, and what parts them. All, if that would be nothing. */
static size_t stem(const char *name)
{
	size_t all = strlen(name), n = without_digits(name);

	if (n < all)
		while (n && parts_a_number(name[n - 1]))
			n--;
	return n ?: all;
}

/* The row of each label set; PROFILE_NONE: it has no name. */
static int name_labelsets(struct thread_names *out, const struct profile *p, uint32_t *row_of)
{
	for (uint32_t i = 0; i < p->labelsets.len; i++) {
		const char *name = profile_text_label(p, i, LABEL_COMM);

		row_of[i] = PROFILE_NONE;
		if (*name && strtab_add_n(out->texts, name, stem(name), &row_of[i]))
			return -ENOMEM;
	}
	return 0;
}

static int compare_rows(const void *x, const void *y)
{
	const struct thread_name *a = x, *b = y;

	return compare_sizes(a->value, b->value) ?: strcmp(a->name, b->name);
}

static void sum(struct thread_names *out, const struct profile *p, size_t value,
		const uint32_t *row_of)
{
	size_t n = 0;

	for (uint32_t i = 0; i < strtab_count(out->texts); i++)
		out->rows.data[i] = (struct thread_name){strtab_get(out->texts, i), 0};
	for (size_t i = 0; i < p->samples.len; i++) {
		const struct profile_sample *s = &p->samples.data[i];
		uint32_t row = row_of[s->labelset];

		if (row != PROFILE_NONE)
			out->rows.data[row].value = saturating_sum(
				out->rows.data[row].value, p->values.data[s->first_value + value]);
	}
	for (uint32_t i = 0; i < strtab_count(out->texts); i++)
		if (out->rows.data[i].value)
			out->rows.data[n++] = out->rows.data[i];
	out->rows.len = n;
	if (n)
		qsort(out->rows.data, n, sizeof(*out->rows.data), compare_rows);
}

int thread_names_build(struct thread_names *out, const struct profile *p, size_t value)
{
	_cleanup_free_ uint32_t *row_of = calloc(p->labelsets.len + 1, sizeof(*row_of));
	int err;

	*out = (struct thread_names){.texts = strtab_new()};
	if (!row_of || !out->texts)
		return -ENOMEM;
	err = name_labelsets(out, p, row_of);
	if (!err && vec_reserve(&out->rows, strtab_count(out->texts)))
		err = -ENOMEM;
	if (!err)
		sum(out, p, value, row_of);
	return err;
}

void thread_names_release(struct thread_names *t)
{
	strtab_free(t->texts);
	vec_release(&t->rows);
	*t = (struct thread_names){0};
}
