// SPDX-License-Identifier: GPL-2.0-or-later
/* pprof written and read back: round trips and conventions. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "profiler/formats/pprof_fields.h"
#include "proto/pprof.pb-c.h"
#include "tests/lib/roundtrip.h"

static void fields_are_those_of_the_proto_file(void **state)
{
#define X(constant, number, name)                                                                  \
	assert_int_equal(                                                                          \
		protobuf_c_message_descriptor_get_field_by_name(&pprof__profile__descriptor, name) \
			->id,                                                                      \
		constant);
	PPROF_FIELDS(X)
#undef X
	(void)state;
}

/* --- round trips ---------------------------------------------------------------------------------- */

static void what_is_written_reads_back_equal(void **state)
{
	static const enum export_format formats[] = {EXPORT_PPROF, EXPORT_PPROF_GZ,
						     EXPORT_PPROF_ZST};

	(void)state;
	for (uint64_t seed = 0; seed < 60; seed++) {
		struct profile *p = random_profile(seed, (uint32_t)seed * 5);
		struct buf b = exported(p, formats[seed % 3]);
		struct profile *back = imported(&b);

		assert_same(p, back);
		buf_release(&b);
		profile_free(back);
		profile_free(p);
	}
}

static void the_same_profile_gives_the_same_bytes(void **state)
{
	struct profile *p = random_profile(1, 100), *q = random_profile(1, 100);
	struct buf a = exported(p, EXPORT_PPROF_GZ), b = exported(q, EXPORT_PPROF_GZ);

	(void)state;
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.data, b.data, a.len);
	assert_memory_equal(a.data + 4, "\0\0\0\0", 4); /* RFC 1952: MTIME */
	buf_release(&a);
	buf_release(&b);
	profile_free(p);
	profile_free(q);
}

static void exports_append(void **state)
{
	struct profile *p = random_profile(2, 10), *back;
	struct buf b = {0}, tail;

	(void)state;
	for (enum export_format f = EXPORT_PPROF_GZ; f <= EXPORT_PPROF; f++) {
		buf_clear(&b);
		buf_str(&b, "before");
		assert_int_equal(export_profile(&b, p, f, NULL), 0);
		assert_memory_equal(b.data, "before", 6);
		tail = (struct buf){.data = b.data + 6, .len = b.len - 6};
		back = imported(&tail);
		assert_same(p, back);
		profile_free(back);
	}
	buf_release(&b);
	profile_free(p);
}

/* --- conventions ----------------------------------------------------------------------------------- */

/* The profile as protobuf-c sees it, unpacked as a whole. */
static Pprof__Profile *unpacked(const struct profile *p)
{
	struct buf b = exported(p, EXPORT_PPROF);
	Pprof__Profile *m = pprof__profile__unpack(NULL, b.len, (uint8_t *)b.data);

	assert_non_null(m);
	buf_release(&b);
	return m;
}

static const char *text_of(const Pprof__Profile *m, int64_t id)
{
	static char text[256];

	assert_in_range(id, 0, m->n_string_table - 1);
	snprintf(text, sizeof(text), "%.*s", (int)m->string_table[id].len,
		 m->string_table[id].data);
	return text;
}

static void ids_count_from_one(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct profile *p = random_profile(seed, 80);
		Pprof__Profile *m = unpacked(p);

		assert_int_equal(m->string_table[0].len, 0);
		for (size_t i = 0; i < m->n_mapping; i++)
			assert_int_equal(m->mapping[i]->id, i + 1);
		for (size_t i = 0; i < m->n_location; i++)
			assert_int_equal(m->location[i]->id, i + 1);
		for (size_t i = 0; i < m->n_function; i++)
			assert_int_equal(m->function[i]->id, i + 1);
		assert_string_equal(text_of(m, m->sample_type[0]->type), "samples");
		assert_string_equal(text_of(m, m->sample_type[0]->unit), "count");
		assert_string_equal(text_of(m, m->sample_type[1]->type), "cpu");
		assert_string_equal(text_of(m, m->sample_type[1]->unit), "nanoseconds");
		assert_string_equal(text_of(m, m->default_sample_type), "cpu");
		assert_string_equal(text_of(m, m->period_type->type), "cpu");
		assert_int_equal(m->period, p->period);
		pprof__profile__free_unpacked(m, NULL);
		profile_free(p);
	}
}

static void the_main_binary_comes_first(void **state)
{
	struct profile *p = profile_new();
	struct profile_mapping made = {.start = 0x7f0000000000, .limit = 0x7f0000100000};
	uint32_t kernel, libc, main, memfd, vdso, ids[5], stack, set;
	Pprof__Profile *m;

	(void)state;
	MUST(profile_init_cpu(p, 1));
	kernel = mapping_id(p, MAPPING_KERNEL, "", true);
	libc = mapping_id(p, "/lib/libc.so.6", "aa", false);
	made.file = str_id(p, "/memfd:code (deleted)"); /* by the program */
	made.build_id = str_id(p, "");
	MUST(profile_mapping(p, &made, &memfd));
	main = mapping_id(p, "/usr/bin/some.sort", "bb", false);
	vdso = mapping_id(p, MAPPING_VDSO, "", false);
	ids[0] = location_id(p, kernel, 0, "k");
	ids[1] = location_id(p, libc, 1, "l");
	ids[2] = location_id(p, main, 2, "m");
	ids[3] = location_id(p, vdso, 3, "v");
	ids[4] = location_id(p, memfd, 4, "j");
	MUST(profile_stack(p, ids, 5, &stack));
	MUST(profile_labelset(p, NULL, 0, &set));
	MUST(profile_add(p, stack, set, (int64_t[]){1, 1}));
	m = unpacked(p);
	assert_string_equal(text_of(m, m->mapping[0]->filename), "/usr/bin/some.sort");
	assert_string_equal(text_of(m, m->mapping[1]->filename), MAPPING_KERNEL);
	assert_string_equal(text_of(m, m->mapping[2]->filename), "/lib/libc.so.6");
	assert_int_equal(m->location[0]->mapping_id, 2);
	assert_int_equal(m->location[1]->mapping_id, 3);
	assert_int_equal(m->location[2]->mapping_id, 1);
	assert_int_equal(m->location[3]->mapping_id, 5);
	assert_int_equal(m->location[4]->mapping_id, 4);
	pprof__profile__free_unpacked(m, NULL);
	profile_free(p);
}

static const char *name_of(const Pprof__Profile *m, size_t location)
{
	return text_of(m, m->function[m->location[location]->line[0]->function_id - 1]->name);
}

static void a_symbolized_mapping_has_names_everywhere(void **state)
{
	struct profile *p = profile_new();
	uint32_t symbolized, plain, kernel;
	Pprof__Profile *m;

	(void)state;
	MUST(profile_init_cpu(p, 1));
	symbolized = mapping_id(p, "/lib/libx.so", "aa", true);
	plain = mapping_id(p, "/lib/liby.so", "bb", false);
	kernel = mapping_id(p, MAPPING_KERNEL, "", true);
	location_id(p, symbolized, 0x1000, "f");
	location_id(p, symbolized, 0x1290, NULL);
	location_id(p, plain, 0x1290, NULL);
	location_id(p, kernel, 0xffffffff81000000, "schedule");
	location_id(p, kernel, 0, NULL);
	location_id(p, PROFILE_NONE, 0, NULL);
	location_id(p, PROFILE_NONE, 0x77, NULL);
	location_id(p, mapping_id(p, MAPPING_KERNEL, "cc", true), 0, NULL);
	m = unpacked(p);
	assert_string_equal(name_of(m, 0), "f");
	assert_string_equal(name_of(m, 1), "[libx.so]+0x1290");
	assert_int_equal(m->location[1]->address, 0x1290);
	assert_int_equal(m->location[2]->n_line, 0);
	assert_int_equal(m->location[3]->address, 0);
	assert_string_equal(name_of(m, 4), "[kernel]");
	assert_string_equal(name_of(m, 5), "[unknown]");
	assert_int_equal(m->location[6]->n_line, 0);
	assert_int_equal(m->location[6]->address, 0x77);
	/* the names made up are functions like any other, one each */
	assert_string_equal(name_of(m, 7), "[kernel]");
	assert_int_equal(m->n_function, p->functions.len + 3);
	for (size_t i = p->functions.len; i < m->n_function; i++)
		assert_int_equal(m->function[i]->system_name, m->function[i]->name);
	pprof__profile__free_unpacked(m, NULL);
	profile_free(p);
}

static void a_function_without_a_name_has_its_system_name(void **state)
{
	struct profile *p = profile_new(), *back = NULL;
	struct profile_function f = {0, str_id(p, "_ZN2ns1fEv"), 0, 0};
	struct profile_line line = {0};
	struct buf b = {0};
	const char *why = NULL;
	uint32_t frame, stack, set;

	(void)state;
	MUST(profile_init_cpu(p, 10));
	MUST(profile_function(p, &f, &line.function));
	MUST(profile_location(p, PROFILE_NONE, 1, &line, 1, &frame));
	MUST(profile_stack(p, &frame, 1, &stack));
	MUST(profile_labelset(p, NULL, 0, &set));
	MUST(profile_add(p, stack, set, (int64_t[]){1, 10}));
	MUST(export_pprof(&b, p));
	MUST(import_pprof(&back, b.data, b.len, &why));
	assert_string_equal(profile_text(back, back->functions.data[0].name), "_ZN2ns1fEv");
	assert_string_equal(profile_text(back, back->functions.data[0].system_name), "_ZN2ns1fEv");
	buf_release(&b);
	profile_free(back);
	profile_free(p);
}

static void a_label_of_zero_is_not_lost(void **state)
{
	struct profile *p = profile_new(), *back;
	struct profile_label labels[] = {{str_id(p, "pid"), PROFILE_NONE, 0, 0},
					 {str_id(p, "thread_id"), PROFILE_NONE, 7, 0}};
	uint32_t stack, set;
	Pprof__Profile *m;
	struct buf b;

	(void)state;
	MUST(profile_init_cpu(p, 1));
	MUST(profile_stack(p, NULL, 0, &stack));
	MUST(profile_labelset(p, labels, 2, &set));
	MUST(profile_add(p, stack, set, (int64_t[]){1, 1}));
	m = unpacked(p);
	assert_int_equal(m->sample[0]->n_label, 2);
	assert_string_equal(text_of(m, m->sample[0]->label[0]->num_unit), "pid");
	assert_int_equal(m->sample[0]->label[1]->num_unit, 0);
	b = exported(p, EXPORT_PPROF);
	back = imported(&b);
	assert_int_equal(profile_find_label(back, 0, "pid")->num, 0);
	assert_int_equal(profile_find_label(back, 0, "pid")->num_unit, 0);
	buf_release(&b);
	profile_free(back);
	pprof__profile__free_unpacked(m, NULL);
	profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_those_of_the_proto_file),
		cmocka_unit_test(what_is_written_reads_back_equal),
		cmocka_unit_test(the_same_profile_gives_the_same_bytes),
		cmocka_unit_test(exports_append),
		cmocka_unit_test(ids_count_from_one),
		cmocka_unit_test(the_main_binary_comes_first),
		cmocka_unit_test(a_symbolized_mapping_has_names_everywhere),
		cmocka_unit_test(a_function_without_a_name_has_its_system_name),
		cmocka_unit_test(a_label_of_zero_is_not_lost),
	};

	return cmocka_run_group_tests_name("pprof", tests, NULL, NULL);
}
