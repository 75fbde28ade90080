// SPDX-License-Identifier: GPL-2.0-or-later
/* Profiles from elsewhere: odd ones, broken ones, damaged ones, and what people are told of them. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/formats/compress.h"
#include "proto/pprof.pb-c.h"
#include "proto/wire.h"
#include "tests/lib/roundtrip.h"
#include "tests/lib/specimen.h"

/* --- other people's profiles ---------------------------------------------------------------------- */

static void ids_may_be_any_numbers(void **state)
{
	struct specimen s;
	struct profile *p = NULL;
	const char *why = "";
	char *text;

	(void)state;
	specimen_init(&s);
	assert_int_equal(import_specimen(&s, &p, &why), 0);
	text = print_profile(p);
	assert_string_equal(text, "cpu/ [] / 0 0 0   \n"
				  "# x\xef\xbf\xbd\n"
				  " @10{main  0-0 0 0000}(main  :0 0) cpu='x\xef\xbf\xbd' 5\n");
	free(text);
	profile_free(p);
}

static void a_symbol_is_the_name_of_a_function_without_one(void **state)
{
	struct specimen s;
	struct profile *p = NULL;
	const char *why = "";

	(void)state;
	specimen_init(&s);
	s.function.system_name = s.function.name;
	s.function.name = 0;
	assert_int_equal(import_specimen(&s, &p, &why), 0);
	assert_int_equal(p->functions.len, 1);
	assert_string_equal(profile_text(p, p->functions.data[0].name), "main");
	profile_free(p);
}

/* It would be a row of nothing. */
static void a_function_without_any_name_is_none(void **state)
{
	struct specimen s;
	struct profile *p = NULL;
	const char *why = "";

	(void)state;
	specimen_init(&s);
	s.function.name = 0;
	assert_int_equal(import_specimen(&s, &p, &why), 0);
	assert_int_equal(p->locations.len, 1);
	assert_int_equal(p->locations.data[0].n_lines, 0);
	profile_free(p);
}

static void break_string(struct specimen *s)
{
	s->function.name = 4;
}

static void break_negative_string(struct specimen *s)
{
	s->label.key = -1;
}

static void break_first_string(struct specimen *s)
{
	s->strings[0] = s->strings[1];
}

static void break_no_strings(struct specimen *s)
{
	s->m.n_string_table = 0;
}

static void break_location(struct specimen *s)
{
	s->location_ids[0] = 1;
}

static void break_location_zero(struct specimen *s)
{
	s->location_ids[0] = 0;
}

static void break_function(struct specimen *s)
{
	s->line.function_id = 0;
}

static void break_id_zero(struct specimen *s)
{
	s->mapping.id = 0;
}

static void break_id_twice(struct specimen *s)
{
	s->mapping2.id = s->mapping.id;
}

static void break_id_twice_in_place(struct specimen *s)
{
	s->mapping2.id = s->mapping.id = 2;
}

static void break_values(struct specimen *s)
{
	s->sample.n_value = 2;
}

static void break_no_values(struct specimen *s)
{
	s->sample.n_value = 0;
}

static void break_types(struct specimen *s)
{
	s->m.n_sample_type = 0;
	s->sample.n_value = 0;
}

static void broken_references_are_named(void **state)
{
	static const struct {
		void (*spoil)(struct specimen *s);
		const char *why;
	} cases[] = {
		{break_string, "it refers to a missing string"},
		{break_negative_string, "it refers to a missing string"},
		{break_first_string, "its first string is not empty"},
		{break_no_strings, "not a pprof profile: it has no strings"},
		{break_location, "a sample refers to a missing location"},
		{break_location_zero, "a sample refers to a missing location"},
		{break_function, "a line refers to a missing function"},
		{break_id_zero, "an entry has the reserved id 0"},
		{break_id_twice, "two entries have the same id"},
		{break_id_twice_in_place, "two entries have the same id"},
		{break_values,
		 "the number of a sample's values differs from the number of sample types"},
		{break_no_values,
		 "the number of a sample's values differs from the number of sample types"},
		{break_types, "it has samples but no sample types"},
	};
	struct profile *p = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct specimen s;
		const char *why = "";

		specimen_init(&s);
		cases[i].spoil(&s);
		assert_int_equal(import_specimen(&s, &p, &why), -EBADMSG);
		assert_string_equal(why, cases[i].why);
		assert_null(p);
	}
}

static void a_mapping_that_is_not_there_is_none(void **state)
{
	struct specimen s;
	struct profile *p = NULL;
	const char *why = "";

	(void)state;
	specimen_init(&s);
	s.location.mapping_id = 12345;
	assert_int_equal(import_specimen(&s, &p, &why), 0);
	assert_int_equal(p->locations.data[0].mapping, PROFILE_NONE);
	profile_free(p);
}

static void samples_of_nothing_are_left_out(void **state)
{
	struct specimen s;
	struct profile *p = NULL;
	const char *why = "";

	(void)state;
	specimen_init(&s);
	s.values[0] = 0;
	assert_int_equal(import_specimen(&s, &p, &why), 0);
	assert_int_equal(p->samples.len, 0);
	profile_free(p);
}

/* --- damaged files --------------------------------------------------------------------------------- */

static int import_bytes(const void *data, size_t len, const char **why)
{
	struct profile *p = NULL;
	int err = import_pprof(&p, data, len, why);

	profile_free(p);
	return err;
}

static void concatenated_profiles_are_refused(void **state)
{
	struct profile *p = random_profile(5, 5);
	struct buf raw = exported(p, EXPORT_PPROF), twice = {0}, gz = exported(p, EXPORT_PPROF_GZ);
	const char *why = "", *want = "it is several profiles concatenated: merge them instead";

	(void)state;
	buf_add(&twice, raw.data, raw.len);
	buf_add(&twice, raw.data, raw.len);
	assert_int_equal(import_bytes(twice.data, twice.len, &why), -EBADMSG);
	assert_string_equal(why, want);
	buf_clear(&twice);
	buf_add(&twice, gz.data, gz.len);
	buf_add(&twice, gz.data, gz.len);
	why = "";
	assert_int_equal(import_bytes(twice.data, twice.len, &why), -EBADMSG);
	assert_string_equal(why, want);
	buf_release(&raw);
	buf_release(&gz);
	buf_release(&twice);
	profile_free(p);
}

static void several_members_are_one_stream(void **state)
{
	struct profile *p = random_profile(6, 50), *back;
	struct buf raw = exported(p, EXPORT_PPROF), parts = {0};
	int (*const compressors[])(struct buf *, const void *, size_t) = {compress_gzip,
									  compress_zstd};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		buf_clear(&parts);
		MUST(compressors[i](&parts, raw.data, raw.len / 3));
		MUST(compressors[i](&parts, raw.data, 0));
		MUST(compressors[i](&parts, raw.data + raw.len / 3, raw.len - raw.len / 3));
		back = imported(&parts);
		assert_same(p, back);
		profile_free(back);
	}
	buf_release(&raw);
	buf_release(&parts);
	profile_free(p);
}

static void truncation_is_told(void **state)
{
	struct profile *p = random_profile(7, 20);
	struct buf gz = exported(p, EXPORT_PPROF_GZ), zst = exported(p, EXPORT_PPROF_ZST);
	struct buf raw = exported(p, EXPORT_PPROF);

	(void)state;
	for (size_t len = 4; len < gz.len; len++) {
		const char *why = "";

		assert_int_equal(import_bytes(gz.data, len, &why), -EBADMSG);
		assert_string_equal(why, "truncated gzip stream");
	}
	for (size_t len = 4; len < zst.len; len++) {
		const char *why = "";

		assert_int_equal(import_bytes(zst.data, len, &why), -EBADMSG);
		assert_string_equal(why, "truncated zstd stream");
	}
	/* protobuf has no end mark: some prefixes are messages, but none may pass for the whole */
	for (size_t len = 0; len < raw.len; len++) {
		struct profile *part = NULL;
		const char *why = NULL;
		int err = import_pprof(&part, raw.data, len, &why);

		assert_true(err ? err == -EBADMSG && why && *why
				: part->samples.len == 0 || len > raw.len / 2);
		profile_free(part);
	}
	buf_release(&gz);
	buf_release(&zst);
	buf_release(&raw);
	profile_free(p);
}

static void flipped_bits_do_not_change_a_profile(void **state)
{
	struct profile *p = random_profile(8, 20);
	struct buf packed[] = {exported(p, EXPORT_PPROF_GZ), exported(p, EXPORT_PPROF_ZST)};

	(void)state;
	for (size_t i = 4; i < packed[0].len + packed[1].len - 4; i++) {
		struct buf *b = i < packed[0].len ? &packed[0] : &packed[1];
		char *byte = &b->data[i < packed[0].len ? i : i - packed[0].len + 4];
		struct profile *back = NULL;
		const char *why = NULL;
		int err;

		*byte ^= 0x10;
		err = import_pprof(&back, b->data, b->len, &why);
		if (err)
			assert_true(err == -EBADMSG && why);
		else
			assert_same(p, back); /* gzip's time, padding: bits that mean nothing */
		profile_free(back);
		*byte ^= 0x10;
	}
	buf_release(&packed[0]);
	buf_release(&packed[1]);
	profile_free(p);
}

static void garbage_is_told(void **state)
{
	static const struct {
		const char *data;
		size_t len;
		const char *why;
	} cases[] = {
		{"", 0, "the file is empty"},
		{"\x1f\x8b", 2, "truncated gzip stream"},
		{"\x1f\x8b\xff\xff\xff\xff\xff\xff\xff\xff", 10, "corrupt gzip stream"},
		{"\x28\xb5\x2f\xfd\x20\x01\xff\xff\xff", 9, "corrupt zstd stream"},
		{"PERFILE2....", 12, "a perf.data file, not a pprof profile"},
		{"{\"a\":1}", 7, "a JSON file, not a pprof profile"},
		{"<html>", 6, "an SVG or HTML file, not a pprof profile"},
		{"main;f 1\n", 9, "a text file such as folded stacks, not a pprof profile"},
		{"FLR\0\0\2", 6, "a recording of Java's Flight Recorder, not a pprof profile"},
		{"\xfd"
		 "7zXZ\0",
		 6, "an xz archive: unpack it first"},
		{"BZh91AY&SY\0", 11, "a bzip2 archive: unpack it first"},
		{"\x04\x22\x4d\x18\x64\x40", 6, "an lz4 archive: unpack it first"},
		{"\x12\x7f", 2, "not a pprof profile: it is no protobuf message"},
		{"\x10\x01", 2, "not a pprof profile: a table holds numbers"},
		{"\x32\x00\x12\x02\x0a\x7f", 6, "not a pprof profile: an entry is malformed"},
		{"\x48\x00", 2, "not a pprof profile: it has no strings"},
		{"\x0b\x00", 2, "not a pprof profile: it is no protobuf message"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *why = "";

		assert_int_equal(import_bytes(cases[i].data, cases[i].len, &why), -EBADMSG);
		assert_string_equal(why, cases[i].why);
	}
}

static void what_is_packed_twice_is_told(void **state)
{
	struct profile *p = random_profile(9, 3);
	struct buf gz = exported(p, EXPORT_PPROF_GZ), twice = {0};
	const char *why = "";

	(void)state;
	MUST(compress_gzip(&twice, gz.data, gz.len));
	assert_int_equal(import_bytes(twice.data, twice.len, &why), -EBADMSG);
	assert_string_equal(why, "it is packed twice: unpack it first");
	buf_release(&twice);
	buf_release(&gz);
	profile_free(p);
}

static void garbage_after_gzip_is_told(void **state)
{
	struct profile *p = random_profile(9, 3);
	struct buf gz = exported(p, EXPORT_PPROF_GZ);
	const char *why = "";

	(void)state;
	buf_str(&gz, "tail");
	assert_int_equal(import_bytes(gz.data, gz.len, &why), -EBADMSG);
	assert_string_equal(why, "garbage after the gzip stream");
	buf_release(&gz);
	profile_free(p);
}

static void inflating_stops_at_the_cap(void **state)
{
	int (*const compressors[])(struct buf *, const void *, size_t) = {compress_gzip,
									  compress_zstd};
	const size_t size = 1 << 20;
	char *zeros = calloc(1, size);

	(void)state;
	assert_non_null(zeros);
	for (size_t i = 0; i < 2; i++) {
		struct buf packed = {0}, out = {0};
		const char *why = "";

		MUST(compressors[i](&packed, zeros, size));
		assert_int_equal(decompress(&out, packed.data, packed.len, size - 1, &why), -EFBIG);
		assert_string_equal(why, "it inflates to more than the limit");
		assert_true(out.cap <= 4 * size);
		buf_clear(&out);
		assert_int_equal(decompress(&out, packed.data, packed.len, size, &why), 0);
		assert_int_equal(out.len, size);
		buf_release(&packed);
		buf_release(&out);
	}
	free(zeros);
}

/* A message's memory is bounded by the arena, however much its shape would like. */
static void unpacking_stops_at_the_cap(void **state)
{
	struct wire_arena a;
	struct buf sample = {0};

	(void)state;
	for (int i = 0; i < 100000; i++)
		buf_add(&sample, "\x1a\x00", 2); /* an empty label */
	wire_arena_init(&a, 1 << 20);
	assert_null(pprof__sample__unpack(&a.allocator, sample.len, (uint8_t *)sample.data));
	assert_true(a.exhausted);
	wire_arena_reset(&a);
	assert_false(a.exhausted);
	assert_non_null(pprof__sample__unpack(&a.allocator, 20, (uint8_t *)sample.data));
	wire_arena_release(&a);
	buf_release(&sample);
}

static void files_and_stdin_are_read(void **state)
{
	char path[] = "/tmp/kiln-test-XXXXXX";
	_cleanup_close_ int fd = mkstemp(path);
	_cleanup_close_ int saved = dup(STDIN_FILENO);
	struct profile *p = random_profile(10, 10), *back = NULL;
	struct buf gz = exported(p, EXPORT_PPROF_GZ);
	const char *why = "";

	(void)state;
	assert_true(fd >= 0 && saved >= 0);
	assert_int_equal(write(fd, gz.data, gz.len), gz.len);
	assert_int_equal(import_file(&back, path, &why), 0);
	assert_same(p, back);
	profile_free(back);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_true(dup2(fd, STDIN_FILENO) == STDIN_FILENO);
	assert_int_equal(import_file(&back, "-", &why), 0);
	assert_same(p, back);
	profile_free(back);
	dup2(saved, STDIN_FILENO);
	unlink(path);
	assert_int_equal(import_file(&back, path, &why), -ENOENT);
	assert_string_equal(why, "No such file or directory");
	assert_int_equal(import_file(&back, "/", &why), -EISDIR);
	assert_string_equal(why, "Is a directory");
	buf_release(&gz);
	profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_may_be_any_numbers),
		cmocka_unit_test(a_symbol_is_the_name_of_a_function_without_one),
		cmocka_unit_test(a_function_without_any_name_is_none),
		cmocka_unit_test(broken_references_are_named),
		cmocka_unit_test(a_mapping_that_is_not_there_is_none),
		cmocka_unit_test(samples_of_nothing_are_left_out),
		cmocka_unit_test(concatenated_profiles_are_refused),
		cmocka_unit_test(several_members_are_one_stream),
		cmocka_unit_test(truncation_is_told),
		cmocka_unit_test(flipped_bits_do_not_change_a_profile),
		cmocka_unit_test(garbage_is_told),
		cmocka_unit_test(what_is_packed_twice_is_told),
		cmocka_unit_test(garbage_after_gzip_is_told),
		cmocka_unit_test(inflating_stops_at_the_cap),
		cmocka_unit_test(unpacking_stops_at_the_cap),
		cmocka_unit_test(files_and_stdin_are_read),
	};

	return cmocka_run_group_tests_name("import", tests, NULL, NULL);
}
