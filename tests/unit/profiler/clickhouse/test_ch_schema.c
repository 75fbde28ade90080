// SPDX-License-Identifier: GPL-2.0-or-later
/* Statements by version, and identities, which must never change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "profiler/clickhouse/ch_schema.h"

#define TEST(name) static void name(void **state __attribute__((unused)))
#define OLD	   18016
#define CURRENT	   26009

TEST(versions)
{
	assert_int_equal(ch_version_parse("18.16.1", 7), 18016);
	assert_int_equal(ch_version_parse("26.9.2.1", 8), 26009);
	assert_int_equal(ch_version_parse("26", 2), 0);
	assert_int_equal(ch_version_parse("26.", 3), 0);
	assert_int_equal(ch_version_parse("v26.9", 5), 0);
	assert_int_equal(ch_version_parse("99999999999.1", 13), 0);
	assert_int_equal(ch_version_parse("", 0), 0);
	assert_false(ch_has(OLD, CH_HAS_CODEC));
	assert_false(ch_has(OLD, CH_HAS_DEDUP_TOKEN));
	assert_true(ch_has(CURRENT, CH_HAS_CODEC));
	assert_true(ch_has(CURRENT, CH_HAS_TTL));
	assert_true(ch_has(CURRENT, CH_HAS_DEDUP_TOKEN));
	assert_true(ch_has(CURRENT, CH_HAS_LOW_CARDINALITY));
}

static void make(struct ch_statements *s, struct ch_schema_opts o)
{
	struct why why = {""};

	*s = (struct ch_statements){0};
	if (ch_schema_statements(s, &o, &why))
		fail_msg("%s", why.text);
}

static size_t count(const struct ch_statements *s, const char *part)
{
	size_t n = 0;

	for (size_t i = 0; i < s->v.len; i++)
		n += strstr(s->v.data[i], part) != NULL;
	return n;
}

TEST(an_old_server_gets_what_it_knows)
{
	struct ch_statements s;

	make(&s, (struct ch_schema_opts){.version = OLD, .database = "kiln", .now_s = 7});
	assert_int_equal(s.v.len, 2 + CH_N_TABLES);
	assert_string_equal(s.v.data[0], "CREATE DATABASE IF NOT EXISTS `kiln`");
	assert_int_equal(count(&s, "CODEC") + count(&s, "LowCardinality") + count(&s, "TTL") +
				 count(&s, "non_replicated") + count(&s, "ON CLUSTER"),
			 0);
	assert_string_equal(vec_last(&s.v),
			    "CREATE VIEW IF NOT EXISTS `kiln`.`kiln_schema` AS SELECT "
			    "toUInt32(1) AS schema, '' AS suffix, '' AS cluster, toUInt32(7) AS "
			    "made");
	ch_statements_release(&s);
}

TEST(statements_as_they_are)
{
	struct ch_statements s;

	make(&s, (struct ch_schema_opts){.version = CURRENT, .database = "kiln"});
	assert_string_equal(
		s.v.data[1 + CH_STACKS],
		"CREATE TABLE IF NOT EXISTS `kiln`.`stacks` (\n"
		"\t`service` LowCardinality(String) CODEC(ZSTD(1)),\n"
		"\t`hash` UInt64 CODEC(ZSTD(1)),\n"
		"\t`day` Date CODEC(ZSTD(1)),\n"
		"\t`funcs` Array(UInt64) CODEC(ZSTD(1)),\n"
		"\t`lines` Array(UInt32) CODEC(ZSTD(1))\n"
		")\nENGINE = ReplacingMergeTree(day)\nPARTITION BY toMonday(day)\nORDER BY "
		"(service, hash)\nSETTINGS index_granularity = 8192");
	assert_int_equal(count(&s, "non_replicated_deduplication_window = 10000"), 1);
	assert_non_null(strstr(s.v.data[1 + CH_SAMPLES], "non_replicated"));
	assert_non_null(strstr(s.v.data[1 + CH_WINDOWS], "`received` DateTime DEFAULT now()"));
	ch_statements_release(&s);
}

TEST(a_cluster_has_local_and_distributed_tables)
{
	struct ch_statements s;

	make(&s, (struct ch_schema_opts){.version = OLD, .database = "k", .cluster = "it's"});
	assert_int_equal(s.v.len, 2 + 2 * CH_N_TABLES);
	assert_int_equal(count(&s, "ON CLUSTER `it's`"), s.v.len);
	assert_int_equal(count(&s, "ENGINE = Replicated"), CH_N_TABLES);
	assert_int_equal(count(&s, "ENGINE = Distributed(`it's`, `k`, "), CH_N_TABLES);
	assert_non_null(
		strstr(s.v.data[1 + CH_STACKS],
		       "ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/k/stacks', "
		       "'{replica}', day)"));
	assert_non_null(strstr(s.v.data[1 + CH_SAMPLES], " `k`.`samples_local` "));
	/* Only the rollup is written through it. */
	assert_int_equal(count(&s, ", cityHash64(service, func))"), 1);
	assert_non_null(strstr(vec_last(&s.v), "'_local' AS suffix, 'it\\'s' AS cluster"));
	ch_statements_release(&s);
}

TEST(ttl_where_the_server_can)
{
	struct ch_schema_opts o = {.version = CURRENT, .database = "k", .ttl_s = 30 * 86400};
	struct ch_statements s;
	struct why why = {""};

	make(&s, o);
	assert_int_equal(count(&s, "MODIFY TTL"), CH_N_TABLES);
	assert_int_equal(count(&s, "`samples` MODIFY TTL time + INTERVAL 30 DAY"), 1);
	/* What is sent on Monday serves Sunday, too. */
	assert_int_equal(count(&s, "`stacks` MODIFY TTL day + INTERVAL 38 DAY"), 1);
	assert_int_equal(count(&s, "`functions` MODIFY TTL day + INTERVAL 38 DAY"), 1);
	ch_statements_release(&s);
	o.version = OLD;
	s = (struct ch_statements){0};
	assert_int_equal(ch_schema_statements(&s, &o, &why), -EINVAL);
	assert_non_null(strstr(why.text, "(18.16) knows no TTL"));
	ch_statements_release(&s);
}

TEST(schemas_of_other_versions)
{
	struct ch_schema_opts o = {.version = OLD, .database = "k", .present = CH_SCHEMA + 1};
	struct ch_statements s = {0};
	struct why why = {""};

	assert_int_equal(ch_schema_statements(&s, &o, &why), -EINVAL);
	assert_non_null(strstr(why.text, "upgrade kiln"));
	o.present = CH_SCHEMA;
	make(&s, o);
	assert_int_equal(count(&s, "DROP"), 0);
	ch_statements_release(&s);
}

/* By hashlib.sha256() of Python. */
TEST(identities_never_change)
{
	uint64_t id, ids[2] = {1, 2};
	uint32_t lines[2] = {3, 4};

	assert_int_equal(ch_function_id(&id, "main", "prog"), 0);
	assert_int_equal(id, 0xba2abe25cb5de8c2ull);
	ids[0] = id;
	assert_int_equal(ch_stack_hash(ids, lines, 2), 0xc88481d4f540ad2aull);
	assert_int_equal(ch_stack_hash(ids, lines, 0), 0x141cfc9842c4b0e3ull);
	assert_int_equal(ch_function_id(&id, "mainp", "rog"), 0);
	assert_int_not_equal(id, ids[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions),
		cmocka_unit_test(an_old_server_gets_what_it_knows),
		cmocka_unit_test(statements_as_they_are),
		cmocka_unit_test(a_cluster_has_local_and_distributed_tables),
		cmocka_unit_test(ttl_where_the_server_can),
		cmocka_unit_test(schemas_of_other_versions),
		cmocka_unit_test(identities_never_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
