// SPDX-License-Identifier: GPL-2.0-or-later
/* kiln fleet init: the database and its tables. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/log.h"
#include "profiler/base/text.h"
#include "profiler/cli/fleet.h"
#include "profiler/cli/fleet_target.h"
#include "profiler/clickhouse/ch_schema.h"
#include "profiler/clickhouse/ch_text.h"
#include "profiler/upload/clickhouse.h"

#define MAX_CLUSTER 64
#define MIN_TTL_NS  (86400 * NS_PER_S)
#define MAX_TTL_NS  (36500ull * 86400 * NS_PER_S)

enum { OPT_CLUSTER, OPT_TTL, OPT_PRINT, OPT_CONFIG, OPT_TARGET /* and above: enum target_arg */ };

static const struct option_spec options[] = {
	{"cluster", 0, "NAME", "replicated and distributed tables, in this cluster of the server's",
	 OPT_CLUSTER},
	{"ttl", 0, "TIME", "how long profiles are kept (for ever, or as it is)", OPT_TTL},
	{"print", 0, NULL, "print the statements, and change nothing", OPT_PRINT},
	{"config", 'c', "FILE", "the configuration (/etc/kiln/kiln.yaml)", OPT_CONFIG},
	TARGET_OPTIONS(OPT_TARGET, "file with the bearer token"),
	{0},
};

struct init {
	const struct command *cmd;
	struct push_target_args to;
	struct ch_schema_opts schema;
	bool print;
	char has_cluster[MAX_CLUSTER + 1]; /* of the schema that is there */
};

static int set_ttl(const struct options *o, struct init *i)
{
	unsigned long long ns = 0;
	int err = option_duration_ns(o, "--ttl", &ns);

	i->schema.ttl_s = ns / NS_PER_S;
	if (err || (ns >= MIN_TTL_NS && ns <= MAX_TTL_NS))
		return err;
	usage_error(o->cmd, "--ttl: a day or more, such as 30d");
	return -EINVAL;
}

static int set_cluster(const struct options *o, struct init *i)
{
	size_t len = strlen(o->arg);

	i->schema.cluster = o->arg;
	if (len && len <= MAX_CLUSTER && text_is_clean(o->arg, len))
		return 0;
	usage_error(o->cmd, "--cluster: a name of 1 to %d characters", MAX_CLUSTER);
	return -EINVAL;
}

static int handle(const struct options *o, int id, struct init *i)
{
	switch (id) {
	case OPT_CLUSTER:
		return set_cluster(o, i);
	case OPT_TTL:
		return set_ttl(o, i);
	case OPT_PRINT:
		i->print = true;
		return 0;
	case OPT_CONFIG:
		i->to.config = o->arg;
		return 0;
	default:
		target_args_set(&i->to.args, id - OPT_TARGET, o->arg);
		return 0;
	}
}

/* --- what is there -------------------------------------------------------------------------------- */

/* The first row of a column of texts. 0 or -EBADMSG. */
static int first_text(const struct ch_answer *a, const char *name, char *out, size_t size)
{
	for (size_t b = 0; b < a->blocks.len; b++) {
		const struct ch_column *c = ch_column(&a->blocks.data[b], name, CH_STRING, false);
		const char *text;
		size_t len;

		if (!c || !c->n)
			continue;
		text = ch_text(c, 0, &len);
		if (len >= size || memchr(text, '\0', len))
			break;
		memcpy(out, text, len);
		out[len] = '\0';
		return 0;
	}
	return -EBADMSG;
}

static int ask_version(const struct ch_server *s, unsigned *out, struct why *why)
{
	struct ch_server any = *s;
	struct ch_answer a = {0};
	char text[64] = "";
	int err;

	any.database = NULL;
	err = ch_ask(&any, "SELECT version() AS server", &a, why);
	if (!err && first_text(&a, "server", text, sizeof(text)))
		err = why_say(why, -EBADMSG, "it does not say its version");
	ch_answer_release(&a);
	*out = ch_version_parse(text, strlen(text));
	if (!err && !*out)
		err = why_say(why, -EBADMSG, "it does not say its version");
	return err;
}

static bool is_own(const char *name, size_t len)
{
	static const char schema[] = "kiln_schema";

	if (len == strlen(schema) && !memcmp(name, schema, len))
		return true;
	for (int t = 0; t < CH_N_TABLES; t++) {
		const char *own = ch_table((enum ch_table)t)->name;
		size_t n = strlen(own);

		if (len >= n && !memcmp(name, own, n) &&
		    (len == n || (len == n + strlen(CH_LOCAL) &&
				  !memcmp(name + n, CH_LOCAL, strlen(CH_LOCAL)))))
			return true;
	}
	return false;
}

/* Tables that another program has made. */
static int check_tables(const struct ch_answer *a, bool *has_schema, struct why *why)
{
	struct buf name = {0};
	int err = 0;

	*has_schema = false;
	for (size_t b = 0; b < a->blocks.len && !err; b++) {
		const struct ch_column *c = ch_column(&a->blocks.data[b], "name", CH_STRING, false);

		for (size_t i = 0; c && i < c->n && !err; i++) {
			size_t len;
			const char *text = ch_text(c, i, &len);

			*has_schema |= len == 11 && !memcmp(text, "kiln_schema", 11);
			if (is_own(text, len))
				continue;
			text_add_clean(&name, text, len < 60 ? len : 60);
			err = why_say(why, -EEXIST,
				      "the database has tables of another program, such as \"%s\": "
				      "give one of kiln's own",
				      buf_cstr(&name));
		}
	}
	buf_release(&name);
	return err;
}

static int ask_schema(const struct ch_server *s, struct init *i, struct why *why)
{
	struct ch_answer a = {0};
	int err = ch_ask(s, CH_HELLO, &a, why);

	if (err == -EINVAL)
		err = why_say(why, err, "its kiln_schema is not kiln's: give another database");
	for (size_t b = 0; !err && b < a.blocks.len; b++) {
		const struct ch_column *c =
			ch_column(&a.blocks.data[b], "schema", CH_UINT32, false);

		if (c && c->n)
			i->schema.present = (unsigned)ch_uint(c, 0);
	}
	if (!err && (!i->schema.present ||
		     first_text(&a, "cluster", i->has_cluster, sizeof(i->has_cluster))))
		err = why_say(why, -EBADMSG,
			      "its kiln_schema is not kiln's: give another database");
	ch_answer_release(&a);
	return err;
}

static int look(const struct ch_server *s, struct init *i, struct why *why)
{
	struct ch_server any = *s;
	struct ch_answer a = {0};
	struct buf sql = {0};
	bool has_schema;
	int err = ask_version(s, &i->schema.version, why);

	if (err)
		return err;
	any.database = NULL;
	buf_str(&sql, "SELECT name FROM system.tables WHERE database = ");
	ch_add_text(&sql, s->database);
	buf_str(&sql, " ORDER BY name");
	err = ch_ask(&any, buf_cstr(&sql), &a, why);
	buf_release(&sql);
	err = err ?: check_tables(&a, &has_schema, why);
	ch_answer_release(&a);
	return err || !has_schema ? err : ask_schema(s, i, why);
}

/* One that is there without a cluster cannot become one with it, and the other way round. */
static int check_cluster(const struct init *i, struct why *why)
{
	const char *wanted = i->schema.cluster ?: "";

	if (!i->schema.present || !strcmp(wanted, i->has_cluster))
		return 0;
	if (!*i->has_cluster)
		return why_say(
			why, -EINVAL,
			"its tables are there, and not of a cluster: leave --cluster out, or "
			"give another database");
	return why_say(why, -EINVAL, "its tables are of the cluster \"%s\": give --cluster %s",
		       i->has_cluster, i->has_cluster);
}

/* --- making it ------------------------------------------------------------------------------------ */

static int say(const struct upload_target *t, int err, const struct why *why)
{
	log_error("%s: %s", t->shown, why->text);
	return err == -EACCES ? EXIT_NOT_PERMITTED : EXIT_ERROR;
}

static int run_statements(const struct upload_target *t, const struct ch_server *s,
			  const struct ch_statements *statements)
{
	struct ch_server any = *s;
	struct why why = {""};
	int err = 0;

	any.database = NULL;
	for (size_t i = 0; i < statements->v.len && !err; i++) {
		log_debug("%s", statements->v.data[i]);
		err = ch_tell(&any, statements->v.data[i], NULL, &why);
	}
	return err ? say(t, err, &why) : EXIT_OK;
}

static void print_statements(const struct ch_statements *s)
{
	for (size_t i = 0; i < s->v.len; i++)
		printf("%s;\n\n", s->v.data[i]);
}

static void print_result(const struct upload_target *t, const struct init *i)
{
	printf("%s: %s, schema %d, ClickHouse %u.%u\n", t->shown,
	       !i->schema.present	       ? "made"
	       : i->schema.present < CH_SCHEMA ? "upgraded"
					       : "it is there",
	       CH_SCHEMA, i->schema.version / 1000, i->schema.version % 1000);
}

static int init(struct init *i, const struct upload_target *t, const struct ch_server *s)
{
	struct ch_statements statements = {0};
	struct why why = {""};
	int err = look(s, i, &why), code = EXIT_OK;

	i->schema.database = s->database;
	i->schema.now_s = unix_ns() / (int64_t)NS_PER_S;
	err = err ?: check_cluster(i, &why);
	err = err ?: ch_schema_statements(&statements, &i->schema, &why);
	if (err)
		code = say(t, err, &why);
	else if (i->print)
		print_statements(&statements);
	else
		code = run_statements(t, s, &statements);
	ch_statements_release(&statements);
	if (code == EXIT_OK && !i->print)
		print_result(t, i);
	return code;
}

/* For a new database, where none is known that could be asked. */
static int print_any(struct init *i)
{
	struct ch_statements statements = {0};
	struct why why = {""};
	int err;

	i->schema.database = "kiln";
	i->schema.version = CH_HAS_ALL;
	i->schema.now_s = unix_ns() / (int64_t)NS_PER_S;
	err = ch_schema_statements(&statements, &i->schema, &why);
	if (err)
		log_error("%s", *why.text ? why.text : strerror(-err));
	else
		printf("-- A new database of ClickHouse %d.%d or later. With a URL: what that "
		       "server has "
		       "and lacks.\n\n",
		       CH_HAS_ALL / 1000, CH_HAS_ALL % 1000);
	print_statements(&statements);
	ch_statements_release(&statements);
	return err ? EXIT_ERROR : EXIT_OK;
}

/* A server of each shard has its own tables, unless it is a cluster that has them made everywhere. */
static int init_all(struct init *i)
{
	_cleanup_(upload_target_freep) struct upload_target *t = NULL;
	_cleanup_free_ char *configured = NULL;
	struct ch_server s;
	bool asks = !i->print || i->to.to;
	int code = asks ? EXIT_OK : fleet_target_configured(&configured, i->to.config);

	if (code == EXIT_OK && !asks && !configured)
		return print_any(i);
	if (code == EXIT_OK)
		code = fleet_target_open(&t, &s, i->cmd, &i->to);
	if (code == EXIT_OK && upload_clickhouse_shards(t) > 1 && !i->schema.cluster)
		return usage_error(i->cmd, "several hosts are shards of a cluster: give --cluster, "
					   "with its name in the servers' configuration");
	return code == EXIT_OK ? init(i, t, &s) : code;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct options o = {.cmd = self, .argc = argc, .argv = argv};
	struct init i = {.cmd = self};
	int id, n, code = EXIT_USAGE;
	char **operands;

	while ((id = options_next(&o)) >= 0 && !handle(&o, id, &i))
		;
	operands = options_operands(&o, &n);
	if (id == OPTIONS_HELP)
		code = EXIT_OK;
	else if (id == OPTIONS_END && n > 1)
		code = usage_error(self, "one URL at a time");
	else if (id == OPTIONS_END) {
		i.to.option = "URL";
		i.to.to = n ? operands[0] : NULL;
		code = init_all(&i);
	}
	options_release(&o);
	return code;
}

const struct command command_fleet_init = {
	.name = "fleet init",
	.summary = "make or upgrade the tables of a fleet in ClickHouse",
	.synopsis = "[URL] [options]",
	.examples = "  kiln fleet init clickhouse+http://db:8123/kiln --ttl 30d\n"
		    "  kiln fleet init clickhouse+http://a:8123,b:8123/kiln --cluster fleet\n"
		    "  kiln fleet init clickhouse+http://db:8123/kiln --print   what it would do\n"
		    "  kiln fleet init --print   the same for any new database\n",
	.options = options,
	.run = run,
};
