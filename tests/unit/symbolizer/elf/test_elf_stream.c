// SPDX-License-Identifier: GPL-2.0-or-later
/* Pieces of large compressed sections against the same section held whole. */
#include <errno.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/elf/elf_obj.h"
#include "tests/lib/fixture.h"

DEFINE_CLEANUP(elf_obj, elf_obj_free)
DEFINE_CLEANUP(elf_stream, elf_stream_free)
#define _cleanup_elf_	 _cleanup_(elf_obj_freep)
#define _cleanup_stream_ _cleanup_(elf_stream_freep)

/* Text that shrinks as debug sections do, several times the distance of restarts. */
#define CONTENTS_BYTES (20 << 20 | 12345) /* a large one: little of it is kept */

static struct elf_obj *open_obj(const char *path)
{
	struct elf_obj *obj = NULL;

	assert_int_equal(elf_obj_open(&obj, open(path, O_RDONLY | O_CLOEXEC), NULL), 0);
	return obj;
}

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state >> 33;
}

static int setup(void **state)
{
	int err = fixture_setup(state);

	fixture_run("echo 'int f(void) { return 1; }' > f.c && gcc -shared -fPIC -o plain f.c && "
		    "seq -f 'std::string_%%.0f' 1000000 9000000 | head -c %d > contents && "
		    "objcopy --add-section .debug_str=contents plain with && "
		    "for how in zlib zlib-gnu zstd; do "
		    "objcopy --compress-debug-sections=$how with $how || exit 1; done",
		    CONTENTS_BYTES);
	return err;
}

static void check_piece(struct elf_stream *s, const uint8_t *want, uint64_t off, size_t len)
{
	static uint8_t piece[1 << 20];

	memset(piece, 0xee, len);
	assert_int_equal(elf_stream_read(s, piece, len, off), 0);
	assert_memory_equal(piece, want + off, len);
}

static void check_stream(const char *path, const uint8_t *want, unsigned random_pieces)
{
	_cleanup_elf_ struct elf_obj *obj = open_obj(path);
	const struct elf_section *sec = elf_obj_section(obj, ".debug_str");
	_cleanup_stream_ struct elf_stream *s = NULL;
	uint64_t random = 1;
	char c;

	assert_true(sec->size < CONTENTS_BYTES / 2);
	assert_int_equal(elf_stream_open(&s, obj, sec), 0);
	assert_int_equal(elf_stream_size(s), CONTENTS_BYTES);
	assert_int_equal(elf_stream_inflated(s), 0);
	/* Once through, then anywhere. */
	for (uint64_t off = 0; off < CONTENTS_BYTES; off += 100000)
		check_piece(s, want, off,
			    CONTENTS_BYTES - off < 100000 ? CONTENTS_BYTES - off : 100000);
	assert_int_equal(elf_stream_inflated(s), CONTENTS_BYTES);
	for (unsigned i = 0; i < random_pieces; i++) {
		size_t len = next_random(&random) % (i % 4 ? 300 : 1 << 20);

		check_piece(s, want, next_random(&random) % (CONTENTS_BYTES - len), len);
	}
	assert_int_equal(elf_stream_read(s, &c, 1, CONTENTS_BYTES), -EBADMSG);
	assert_int_equal(elf_stream_read(s, &c, 1, UINT64_MAX), -EBADMSG);
	assert_int_equal(elf_stream_read(s, &c, 0, CONTENTS_BYTES), 0);
	assert_int_equal(elf_obj_bytes(obj), 0);
	assert_true(elf_stream_bytes(s) < CONTENTS_BYTES / 2);
}

static void test_pieces_are_those_of_the_whole(void **state)
{
	_cleanup_free_ uint8_t *want = NULL;
	size_t len;

	(void)state;
	want = fixture_read("contents", &len);
	assert_int_equal(len, CONTENTS_BYTES);
	check_stream("zlib", want, 400);
	check_stream("zlib-gnu", want, 400);
	check_stream("zstd", want, 40);
}

/* Going back costs at most the distance between restarts, not the way from the start. */
static void test_going_back_is_cheap(void **state)
{
	_cleanup_elf_ struct elf_obj *obj = open_obj("zlib");
	_cleanup_stream_ struct elf_stream *s = NULL;
	uint64_t before;
	char c;

	(void)state;
	assert_int_equal(elf_stream_open(&s, obj, elf_obj_section(obj, ".debug_str")), 0);
	assert_int_equal(elf_stream_read(s, &c, 1, CONTENTS_BYTES - 1), 0);
	for (uint64_t off = CONTENTS_BYTES; off > 1 << 20; off -= 1 << 20) {
		before = elf_stream_inflated(s);
		assert_int_equal(elf_stream_read(s, &c, 1, off - (1 << 20)), 0);
		assert_true(elf_stream_inflated(s) - before <= 1 << 20);
	}
}

static void test_uncompressed_section_is_refused(void **state)
{
	_cleanup_elf_ struct elf_obj *obj = open_obj("with");
	struct elf_stream *s = NULL;

	(void)state;
	assert_int_equal(elf_stream_open(&s, obj, elf_obj_section(obj, ".debug_str")), -EINVAL);
	assert_null(s);
}

/* What stands before the damage is read; what is behind it is not inflated again and again. */
static void check_damaged(const char *path)
{
	_cleanup_free_ uint8_t *data = NULL, *want = NULL;
	_cleanup_elf_ struct elf_obj *whole = open_obj(path), *obj = NULL;
	const struct elf_section *sec = elf_obj_section(whole, ".debug_str");
	_cleanup_stream_ struct elf_stream *s = NULL;
	uint64_t inflated;
	size_t len;
	char c;

	data = fixture_read(path, &len);
	want = fixture_read("contents", &len);
	/* Long enough to hit more than literals, which nothing protects. */
	memset(data + sec->file_off + sec->size / 2, 0xff, sec->size / 16);
	assert_int_equal(elf_obj_open_bytes(&obj, data, elf_obj_file_size(whole), NULL), 0);
	assert_int_equal(elf_stream_open(&s, obj, elf_obj_section(obj, ".debug_str")), 0);
	check_piece(s, want, 1 << 20, 1 << 20);
	assert_int_equal(elf_stream_read(s, &c, 1, CONTENTS_BYTES - 1), -EBADMSG);
	inflated = elf_stream_inflated(s);
	for (uint64_t off = CONTENTS_BYTES - (1 << 20); off < CONTENTS_BYTES; off += 1 << 16)
		assert_int_equal(elf_stream_read(s, &c, 1, off), -EBADMSG);
	assert_int_equal(elf_stream_inflated(s), inflated);
	check_piece(s, want, 100, 1 << 20);
}

static void test_damage_is_met_once(void **state)
{
	(void)state;
	check_damaged("zlib");
	check_damaged("zstd");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces_are_those_of_the_whole),
		cmocka_unit_test(test_going_back_is_cheap),
		cmocka_unit_test(test_uncompressed_section_is_refused),
		cmocka_unit_test(test_damage_is_met_once),
	};

	return cmocka_run_group_tests(tests, setup, fixture_teardown);
}
