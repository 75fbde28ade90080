// SPDX-License-Identifier: GPL-2.0-or-later
/* An item as requests to a ClickHouse: what it is asked, and what it is sent. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/base/hash.h"
#include "profiler/base/log.h"
#include "profiler/base/sha256.h"
#include "profiler/base/text.h"
#include "profiler/clickhouse/ch_client.h"
#include "profiler/clickhouse/ch_schema.h"
#include "profiler/clickhouse/ch_text.h"
#include "profiler/formats/compress.h"
#include "profiler/profile/profile.h"
#include "profiler/upload/clickhouse_priv.h"
#include "profiler/upload/clickhouse_rows.h"
#include "profiler/upload/series.h"
#include "profiler/upload/target.h"

#define HELLO_NS     (3600 * NS_PER_S) /* how long what a server said of itself is believed */
#define MAX_SERVICES 64		       /* named in a question: they make it fast */
#define CHUNK_BYTES  (16u << 20)       /* of stacks or functions in a request */
#define DAY_S	     86400

/* An item while it is packed. */
struct packing {
	const struct upload_target *t;
	struct clickhouse_state *state;
	struct clickhouse_shard *shard;
	const char *base;
	struct clickhouse_rows rows;
	struct clickhouse_when when;
	uint64_t id;
	struct upload_requests *out;
};

const char *clickhouse_database(const struct upload_target *t)
{
	return t->path + (*t->path == '/');
}

/* --- requests ------------------------------------------------------------------------------------- */

static int add_request(struct packing *k, int step, struct buf *url, struct buf *body,
		       struct upload_request **out)
{
	struct upload_request r = {.method = "POST", .step = step, .url = buf_take(url)};
	int err = body->err;

	r.body = *body;
	*body = (struct buf){0};
	if (!err && r.url)
		err = vec_push(&k->out->v, r);
	else
		err = -ENOMEM;
	if (err) {
		free(r.url);
		buf_release(&r.body);
		return err;
	}
	*out = &vec_last(&k->out->v);
	return 0;
}

static void server_of(const struct packing *k, struct ch_server *out)
{
	*out = (struct ch_server){.base = k->base, .database = clickhouse_database(k->t)};
}

/* sql becomes the request's. */
static int add_question(struct packing *k, int step, struct buf *sql)
{
	struct upload_request *r;
	struct ch_server server;
	struct buf url = {0};

	server_of(k, &server);
	ch_add_url(&url, &server, "readonly=1");
	buf_str(sql, "\nFORMAT Native");
	return add_request(k, step, &url, sql, &r);
}

static void add_table(struct buf *b, const struct packing *k, enum ch_table table)
{
	buf_printf(b, "%s%s", ch_table(table)->name, k->shard->suffix);
}

static bool has_token(const struct packing *k)
{
	return ch_has(k->shard->version, CH_HAS_DEDUP_TOKEN);
}

/* A replicated table of a server without tokens does. */
static bool takes_equal_blocks_for_one(const struct packing *k)
{
	return !has_token(k) && *k->shard->suffix;
}

static void add_insert_url(struct buf *url, const struct packing *k, enum ch_table table)
{
	const struct ch_table_def *t = ch_table(table);
	struct buf sql = {0};

	buf_str(&sql, "INSERT INTO ");
	add_table(&sql, k, table);
	for (size_t i = 0; i < t->n_columns; i++)
		buf_printf(&sql, "%s%s", i ? "," : " (", t->columns[i].name);
	buf_str(&sql, ") FORMAT Native");
	buf_printf(url, "%s/?database=", k->base);
	text_add_url(url, clickhouse_database(k->t));
	buf_str(url, "&query=");
	text_add_url(url, buf_cstr(&sql));
	url->err = url->err ?: sql.err;
	/* Otherwise the answer may come before the rows are stored. */
	if (has_token(k))
		buf_str(url, "&wait_for_async_insert=1");
	if (table == CH_SAMPLES)
		buf_printf(url, "&%s=kiln-%016" PRIx64,
			   has_token(k) ? "insert_deduplication_token" : "query_id", k->id);
	buf_release(&sql);
}

/* block: emptied. */
static int add_insert(struct packing *k, int step, enum ch_table table, struct buf *block,
		      struct upload_request **out)
{
	static const char *const headers[] = {"Content-Type: application/octet-stream",
					      "Content-Encoding: gzip", NULL};
	struct buf url = {0}, body = {0};
	int err = block->err ?: compress_gzip_fast(&body, block->data, block->len);

	buf_clear(block);
	if (err) {
		buf_release(&body);
		return err;
	}
	add_insert_url(&url, k, table);
	err = add_request(k, step, &url, &body, out);
	return err ?: upload_request_headers(*out, headers);
}

/* --- what a server is asked ----------------------------------------------------------------------- */

static int pack_hello(struct packing *k)
{
	struct buf sql = {0};

	buf_str(&sql, CH_HELLO);
	return add_question(k, STEP_HELLO, &sql);
}

static void add_where(struct buf *sql, const struct packing *k)
{
	buf_str(sql, " WHERE host = ");
	ch_add_text(sql, k->when.host);
	buf_str(sql, " AND time = ");
	ch_add_time(sql, (int64_t)k->when.time_s * (int64_t)NS_PER_S);
}

/* With them the table's order can be used. Samples are sorted by service. */
static void add_services(struct buf *sql, const struct packing *k)
{
	struct buf names = {0};
	size_t n = 0;

	for (size_t i = 0; i < k->rows.samples.len; i++) {
		uint32_t service = k->rows.samples.data[i].service;

		if (i && service == k->rows.samples.data[i - 1].service)
			continue;
		buf_str(&names, n++ ? ", " : " AND service IN (");
		ch_add_text(&names, strtab_get(k->rows.texts, service));
	}
	buf_char(&names, ')');
	if (n && n <= MAX_SERVICES)
		buf_add(sql, names.data, names.len);
	sql->err = sql->err ?: names.err;
	buf_release(&names);
}

static int pack_ask(struct packing *k)
{
	struct buf sql = {0};

	buf_str(&sql, "SELECT 'window' AS what, toUInt64(count()) AS n, toInt64(0) AS value, "
		      "toUInt64(0) AS hash_sum FROM ");
	add_table(&sql, k, CH_WINDOWS);
	add_where(&sql, k);
	buf_printf(&sql, " AND id = %" PRIu64, k->id);
	buf_str(&sql, "\nUNION ALL SELECT 'others' AS what, toUInt64(sum(r)) AS n, toInt64(sum(v)) "
		      "AS value, toUInt64(sum(h)) AS hash_sum FROM (SELECT id, any(rows) AS r, "
		      "any(value) AS v, any(hash_sum) AS h FROM ");
	add_table(&sql, k, CH_WINDOWS);
	add_where(&sql, k);
	buf_printf(&sql, " AND id != %" PRIu64 " GROUP BY id) AS o", k->id);
	buf_str(&sql, "\nUNION ALL SELECT 'samples' AS what, toUInt64(count()) AS n, "
		      "toInt64(sum(value)) AS value, toUInt64(sum(hash)) AS hash_sum FROM ");
	add_table(&sql, k, CH_SAMPLES);
	add_where(&sql, k);
	if (!k->shard->asked_all)
		add_services(&sql, k);
	return add_question(k, STEP_ASK, &sql);
}

static int pack_questions(struct packing *k)
{
	struct buf sql = {0};
	int err = 0;

	k->shard->told = TOLD_NOTHING;
	k->shard->asked_all &= k->shard->told_id == k->id;
	k->shard->told_id = k->id;
	k->shard->expected =
		(struct clickhouse_sums){k->rows.samples.len, k->rows.hash_sum, k->rows.value};
	/* Whether it is there is certain once the insert has ended. */
	if (!has_token(k)) {
		buf_printf(&sql,
			   "SELECT toUInt64(count()) AS n FROM system.processes WHERE query_id = "
			   "'kiln-%016" PRIx64 "'",
			   k->id);
		err = add_question(k, STEP_RUNNING, &sql);
	}
	return err ?: pack_ask(k);
}

static bool must_ask(const struct packing *k)
{
	const struct clickhouse_shard *s = k->shard;
	int64_t time_ns = k->rows.p->time_ns;

	if (s->told != TOLD_NOTHING && s->told_id == k->id)
		return false;
	if (s->is_unsure && s->unsure_id == k->id)
		return true;
	return time_ns < k->state->begun_ns || time_ns > unix_ns();
}

/* --- what it is sent ------------------------------------------------------------------------------ */

static uint64_t stack_key(const struct clickhouse_rows *r, const struct clickhouse_stack *s)
{
	return hash_mix(s->hash, hash_str(strtab_get(r->texts, s->service)));
}

static size_t stack_bytes(const struct packing *k, uint32_t i)
{
	return 12 * (size_t)k->rows.stacks.data[i].n + 64;
}

static size_t function_bytes(const struct packing *k, uint32_t i)
{
	const struct clickhouse_function *f = &k->rows.functions.data[i];

	return strlen(f->func) + strlen(f->file) + strlen(f->module) + 64;
}

struct indices {
	VEC(uint32_t) v;
};

static int find_new_stacks(struct packing *k, struct indices *out)
{
	int err = 0;

	for (size_t i = 0; i < k->rows.stacks.len && !err; i++) {
		uint64_t key = stack_key(&k->rows, &k->rows.stacks.data[i]);

		if (sent_cache_has(&k->shard->stacks, key))
			continue;
		err = vec_push(&out->v, (uint32_t)i) ?: vec_push(&k->state->stacks, key);
	}
	return err;
}

static int find_new_functions(struct packing *k, struct indices *out)
{
	int err = 0;

	for (size_t i = 0; i < k->rows.functions.len && !err; i++) {
		uint64_t key = k->rows.functions.data[i].id;

		if (sent_cache_has(&k->shard->functions, key))
			continue;
		err = vec_push(&out->v, (uint32_t)i) ?: vec_push(&k->state->functions, key);
	}
	return err;
}

/* How many from `first` on fit into a request. */
static size_t chunk_of(const struct packing *k, const struct indices *rows, size_t first,
		       size_t (*bytes_of)(const struct packing *k, uint32_t i))
{
	size_t n = 0, bytes = 0;

	for (; first + n < rows->v.len && bytes < CHUNK_BYTES; n++)
		bytes += bytes_of(k, rows->v.data[first + n]);
	return n;
}

static int pack_stacks(struct packing *k)
{
	struct indices rows = {0};
	struct upload_request *r;
	struct buf block = {0};
	int err = find_new_stacks(k, &rows);

	for (size_t i = 0, n; i < rows.v.len && !err; i += n) {
		n = chunk_of(k, &rows, i, stack_bytes);
		clickhouse_put_stacks(&block, &k->rows, &k->when, rows.v.data + i, n);
		err = add_insert(k, STEP_STACKS, CH_STACKS, &block, &r);
		if (!err) {
			r->first = i;
			r->n = n;
		}
	}
	vec_release(&rows.v);
	buf_release(&block);
	return err;
}

static int pack_functions(struct packing *k)
{
	struct indices rows = {0};
	struct upload_request *r;
	struct buf block = {0};
	int err = find_new_functions(k, &rows);

	for (size_t i = 0, n; i < rows.v.len && !err; i += n) {
		n = chunk_of(k, &rows, i, function_bytes);
		clickhouse_put_functions(&block, &k->rows, &k->when, rows.v.data + i, n);
		err = add_insert(k, STEP_FUNCTIONS, CH_FUNCTIONS, &block, &r);
		if (!err) {
			r->first = i;
			r->n = n;
		}
	}
	vec_release(&rows.v);
	buf_release(&block);
	return err;
}

static uint64_t count_samples(const struct profile *p)
{
	int64_t n = profile_weight(p);

	return n > 0 ? (uint64_t)n : 0;
}

static int pack_samples(struct packing *k)
{
	struct upload_request *r;
	struct buf block = {0};
	int err;

	if (!k->rows.samples.len)
		return 0;
	clickhouse_put_samples(&block, &k->rows, &k->when);
	err = add_insert(k, STEP_SAMPLES, CH_SAMPLES, &block, &r);
	if (!err) {
		r->samples = count_samples(k->rows.p);
		r->is_once = true;
	}
	buf_release(&block);
	return err;
}

static int pack_window(struct packing *k)
{
	struct upload_request *r;
	struct buf block = {0};
	int err;

	clickhouse_put_window(&block, &k->rows, &k->when, k->id);
	err = add_insert(k, STEP_WINDOW, CH_WINDOWS, &block, &r);
	buf_release(&block);
	return err;
}

static int pack_inserts(struct packing *k)
{
	enum clickhouse_told told = k->shard->told_id == k->id ? k->shard->told : TOLD_NOTHING;
	uint64_t forgotten = k->shard->stacks.forgotten;
	int err;

	if (told == TOLD_ALL)
		return 0;
	clickhouse_shard_week(k->shard, k->when.time_s);
	k->state->stacks.len = k->state->functions.len = 0;
	err = pack_functions(k);
	err = err ?: pack_stacks(k);
	if (!err && told != TOLD_SAMPLES)
		err = pack_samples(k);
	if (k->shard->stacks.forgotten != forgotten)
		log_debug("%s: %" PRIu64 " stacks were forgotten, and will be sent again",
			  k->t->name, k->shard->stacks.forgotten);
	return err ?: pack_window(k);
}

/* --- an item -------------------------------------------------------------------------------------- */

static const char *host_of(const struct upload_item *item)
{
	const struct profile *p = item->profile;

	for (size_t i = 0; i < p->labels.len; i++) {
		const struct profile_label *l = &p->labels.data[i];

		if (l->str != PROFILE_NONE && !strcmp(profile_text(p, l->key), SERIES_LABEL_HOST))
			return profile_text(p, l->str);
	}
	return item->host;
}

/* The same whichever version computes it: another shard would not know what was sent. */
static size_t shard_of(const char *host, size_t n)
{
	uint8_t hash[SHA256_LEN];

	sha256(host, strlen(host), hash);
	return (((size_t)hash[0] << 16) | ((size_t)hash[1] << 8) | hash[2]) % n;
}

static int set_time(struct packing *k, const struct profile *p, struct why *why)
{
	int64_t s = p->time_ns / (int64_t)NS_PER_S;

	if (p->time_ns <= 0)
		return why_say(why, -EINVAL, "the profile does not say when it was recorded");
	if (s > UINT32_MAX)
		return why_say(why, -EINVAL,
			       "the profile is of a time that ClickHouse cannot have");
	k->when.time_s = (uint32_t)s;
	k->when.day = (uint16_t)(s / DAY_S);
	return 0;
}

static bool is_known(const struct clickhouse_shard *s)
{
	return s->is_known && monotonic_ns() - s->known_ns < HELLO_NS;
}

static int pack_item(struct packing *k, const struct profile *p)
{
	int err;

	if (!is_known(k->shard))
		return pack_hello(k);
	err = clickhouse_rows_build(&k->rows, p, &k->state->memo);
	if (!err && takes_equal_blocks_for_one(k))
		err = clickhouse_rows_mark(&k->rows, k->id);
	if (err)
		return err;
	return must_ask(k) ? pack_questions(k) : pack_inserts(k);
}

int clickhouse_pack(const struct upload_target *t, const struct upload_item *item,
		    struct upload_requests *out, struct why *why)
{
	struct packing k = {.t = t, .state = t->state, .out = out};
	const char *host = host_of(item);
	size_t shard = shard_of(host, t->shards.len);
	int err = set_time(&k, item->profile, why);

	if (err)
		return err;
	k.when.host = host;
	k.base = t->shards.data[shard];
	k.shard = &k.state->shards.data[shard];
	k.id = hash_mix(item->id[0], item->id[1]);
	k.state->shard = k.shard;
	k.state->id = k.id;
	err = pack_item(&k, item->profile);
	clickhouse_rows_release(&k.rows);
	if (err == -EFBIG)
		return why_say(why, err, "more than %d different stacks: send shorter windows",
			       CLICKHOUSE_MAX_ROWS);
	return err ? why_say(why, err, "%s", strerror(-err)) : 0;
}
