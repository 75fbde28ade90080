// SPDX-License-Identifier: GPL-2.0-or-later
/* What a ClickHouse answers: format Native, and what kiln reads out of it. The first byte says as what. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/text.h"
#include "profiler/clickhouse/ch_native.h"
#include "profiler/fleet/cost_read.h"
#include "profiler/fleet/function_sql.h"
#include "profiler/fleet/profile_read.h"
#include "profiler/fleet/rollup_sql.h"
#include "profiler/profile/profile.h"
#include "profiler/upload/clickhouse_state.h"

/* An error of a stranger's answer has a sentence for a terminal. */
static void check(int err, const struct why *why)
{
	if (err && err != -ENOMEM && (!*why->text || !text_is_clean(why->text, strlen(why->text))))
		abort();
}

static volatile uint64_t sink;

/* Each byte that an answer lends is there. */
static void touch_column(const struct ch_column *c, size_t n_rows)
{
	for (size_t i = 0; i < c->n; i++) {
		size_t len;

		if (c->type != CH_STRING) {
			sink += ch_uint(c, i) + (uint64_t)(ch_double(c, i) > 0);
			continue;
		}
		for (const char *text = ch_text(c, i, &len); len; len--)
			sink += (unsigned char)*text++;
	}
	for (size_t row = 0; c->is_array && row < n_rows; row++) {
		size_t n, first = ch_array(c, row, &n);

		if (first + n > c->n)
			abort();
	}
}

static void touch(const struct ch_answer *a)
{
	for (size_t i = 0; i < a->blocks.len; i++)
		for (size_t c = 0; c < a->blocks.data[i].columns.len; c++)
			touch_column(&a->blocks.data[i].columns.data[c], a->blocks.data[i].n_rows);
}

static void read_costs(const struct ch_answer *a)
{
	struct costs costs = {0};
	struct why why = {""};

	check(cost_read(&costs, NULL, a, &why), &why);
	costs_sort(&costs, COSTS_BY_SELF);
	for (size_t i = 0; i < costs.v.len; i++) {
		const char *name = costs_text(&costs, costs.v.data[i].name);

		if (!text_is_clean(name, strlen(name)))
			abort();
	}
	costs_release(&costs);
}

static void read_functions(const struct ch_answer *a)
{
	struct function_list functions = {0};
	struct time_series series = {0};
	struct why why = {""};

	check(function_read(&functions, a, &why), &why);
	function_list_release(&functions);
	why = (struct why){""};
	check(time_series_read(&series, a, &why), &why);
	vec_release(&series.v);
}

static void read_rollup(const struct ch_answer *a)
{
	struct rollup_look look = {0};
	struct why why = {""};

	check(rollup_read_look(&look, a, &why), &why);
	rollup_look_release(&look);
}

/* One answer is all three. */
static void read_profile(const struct ch_answer *a)
{
	const struct profile_answers answers = {a, a, a};
	struct window_sums sums = {0};
	struct profile *p = NULL;
	struct why why = {""};

	check(window_sums_read(&sums, a, &why), &why);
	why = (struct why){""};
	check(profile_read(&p, &answers, 10000000, &why), &why);
	profile_free(p);
}

static void read_as_sender(const uint8_t *data, size_t size)
{
	const struct clickhouse_sums sums = {1, 2, 3};
	struct net_answer a = {.status = 200, .retry_after_s = -1};
	struct clickhouse_shard shard = {0};
	enum clickhouse_told told;
	bool has_others;
	struct why why = {""};

	buf_add(&a.body, data, size);
	check(clickhouse_shard_hello(&shard, &a, &why), &why);
	why = (struct why){""};
	check(clickhouse_told(&told, &has_others, &sums, &a, &why), &why);
	clickhouse_shard_forget(&shard);
	buf_release(&a.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const readers[])(const struct ch_answer *a) = {
		touch, read_costs, read_functions, read_rollup, read_profile};
	struct ch_answer a = {0};
	struct why why = {""};
	struct buf body = {0};
	int err;

	if (!size)
		return 0;
	if (*data % 6 == 5) {
		read_as_sender(data + 1, size - 1);
		return 0;
	}
	buf_add(&body, data + 1, size - 1);
	err = ch_answer_parse(&a, &body, &why);
	check(err, &why);
	if (!err)
		readers[*data % 6](&a);
	ch_answer_release(&a);
	return 0;
}
