/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In the place of unwind_tables.c, for tests of what asks it. */
#ifndef KILN_TESTS_FAKE_TABLES_H
#define KILN_TESTS_FAKE_TABLES_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <string.h>

#include "profiler/base/buf.h"
#include "profiler/unwind/unwind_tables.h"
#include "symbolizer/query/answer.h"

/* What was done, in order: "want(1) set(100:0) release". */
static struct buf done;

/* File number n has slot 10 + n, and 1000 * n from offset to address. */
#define NUMBERS 16

static struct {
	enum unwind_table_state state;
	int error, want_err;
	bool other_segment; /* it has none for what is mapped */
	bool may_renew;	    /* of a jitdump */
	uint64_t as_of_ns;
	struct unwind_head head;
} tables[NUMBERS];

static uint32_t changed[NUMBERS];
static size_t n_changed;
static bool has_queue;
static struct unwind_tables_opts tables_opts;
static uint32_t asked_whether_known = UINT32_MAX;
static bool is_known;

int unwind_tables_new(struct unwind_tables **out, const struct unwind_tables_opts *opts)
{
	tables_opts = *opts;
	*out = (struct unwind_tables *)&tables;
	return 0;
}

void unwind_tables_free(struct unwind_tables *t)
{
	assert_ptr_equal(t, &tables);
}

enum unwind_table_state unwind_tables_state(const struct unwind_tables *t, uint32_t file)
{
	(void)t;
	assert_true(file < NUMBERS);
	return tables[file].state;
}

int unwind_tables_error(const struct unwind_tables *t, uint32_t file)
{
	(void)t;
	return tables[file].error;
}

int unwind_tables_want(struct unwind_tables *t, uint32_t file, const struct sym_file *what)
{
	(void)t;
	assert_true(fcntl(what->fd, F_GETFD) >= 0);
	buf_printf(&done, "want(%u) ", file);
	if (!tables[file].want_err)
		tables[file].state = TABLE_QUEUED;
	return tables[file].want_err;
}

bool unwind_tables_has_queue(struct unwind_tables *t)
{
	(void)t;
	return has_queue;
}

bool unwind_tables_get(const struct unwind_tables *t, uint32_t file, uint64_t file_off,
		       uint32_t *slot, uint64_t *va_minus_off)
{
	(void)t, (void)file_off;
	if (tables[file].state != TABLE_LOADED || tables[file].other_segment)
		return false;
	*slot = 10 + file;
	*va_minus_off = 1000 * file;
	return true;
}

#define CODE_LEN 0x8000 /* of each file */

bool unwind_tables_find_code(const struct unwind_tables *t, uint32_t file, uint64_t elf_va,
			     uint32_t *slot, uint64_t *file_off)
{
	(void)t;
	*file_off = elf_va - 1000 * file;
	*slot = 10 + file;
	return tables[file].state == TABLE_LOADED && *file_off < CODE_LEN;
}

void unwind_tables_touch(struct unwind_tables *t, uint32_t file)
{
	(void)t;
	buf_printf(&done, "touch(%u) ", file);
}

const void *unwind_tables_blob(const struct unwind_tables *t, uint32_t file)
{
	(void)t;
	return tables[file].state == TABLE_LOADED ? &tables[file].head : NULL;
}

bool unwind_tables_may_renew(const struct unwind_tables *t, uint32_t file)
{
	(void)t;
	return tables[file].may_renew;
}

int unwind_tables_renew(struct unwind_tables *t, uint32_t file, const struct sym_file *what)
{
	(void)t;
	assert_true(fcntl(what->fd, F_GETFD) >= 0);
	buf_printf(&done, "renew(%u) ", file);
	tables[file].may_renew = false;
	return 0;
}

bool unwind_tables_is_as_new(const struct unwind_tables *t, uint32_t file, uint64_t since_ns,
			     uint32_t written)
{
	(void)t;
	return tables[file].as_of_ns >= since_ns || tables[file].head.jit_written == written;
}

void unwind_tables_hurry(struct unwind_tables *t, uint32_t file)
{
	(void)t;
	buf_printf(&done, "hurry(%u) ", file);
}

size_t unwind_tables_poll(struct unwind_tables *t, uint32_t **files)
{
	size_t n = n_changed;

	(void)t;
	n_changed = 0;
	*files = changed;
	return n;
}

void unwind_tables_release(struct unwind_tables *t)
{
	(void)t;
	buf_str(&done, "release ");
}

void unwind_tables_forget(struct unwind_tables *t, bool (*known)(void *ctx, uint32_t file),
			  void *ctx)
{
	(void)t;
	assert_true(known(ctx, 0)); /* the vDSO always is */
	is_known = known(ctx, asked_whether_known);
	buf_str(&done, "forget ");
}

bool unwind_tables_settle(struct unwind_tables *t, int timeout_ms)
{
	(void)t, (void)timeout_ms;
	return true;
}

void unwind_tables_stats(struct unwind_tables *t, struct unwind_tables_stats *out)
{
	(void)t;
	*out = (struct unwind_tables_stats){.loaded = 77};
}

#endif
