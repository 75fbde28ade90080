/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a raw walk asks, in the place of the drain, the feed of the kernel's walk, and the readers. Included once. */
#ifndef KILN_TESTS_LIB_WALK_DOUBLES_H
#define KILN_TESTS_LIB_WALK_DOUBLES_H

#include "profiler/base/vec.h"
#include "profiler/sampler/drained_window.h"
#include "profiler/unwind/unwind_feed.h"
#include "symbolizer/worker/walk_set.h"
#include "symbolizer/worker/walk_worker.h"

/* What every sample here consists of. */
#define CODE	  0x9000 /* anonymous, where frame pointers are followed */
#define FILE_CODE 0x400000
#define SP	  0x7fff0800

static VEC(struct raw_sample *) samples;
static size_t next_sample;

struct raw_sample *next_raw(struct raw_queue *q)
{
	(void)q;
	if (next_sample < samples.len)
		return samples.data[next_sample++];
	samples.len = next_sample = 0;
	return NULL;
}

/* What the feed says of every file. */
static enum feed_place feed_says;
static unsigned feed_asked;

enum feed_place unwind_feed_place(struct unwind_feed *f, uint32_t file, uint64_t file_off,
				  const void **table, uint64_t *va_minus_off)
{
	(void)f, (void)file, (void)file_off, (void)table, (void)va_minus_off;
	feed_asked++;
	return feed_says;
}

/* What it says of jitdumps, and the table that it gives. */
static enum feed_place jit_says;
static const void *jit_table_given;
static struct {
	uint32_t dump, written;
	uint64_t since_ns;
} jit_asked;

enum feed_place unwind_feed_jit(struct unwind_feed *f, uint32_t dump, uint64_t since_ns,
				uint32_t written, const void **table)
{
	(void)f;
	jit_asked.dump = dump;
	jit_asked.written = written;
	jit_asked.since_ns = since_ns;
	*table = jit_table_given;
	return jit_says;
}

/* Whether a table is on its way. */
static bool feed_awaits;

bool unwind_feed_awaits(struct unwind_feed *f, uint32_t file)
{
	(void)f, (void)file;
	return feed_awaits;
}

/* What libunwind finds: frames 1, 2, ... so many; 0: the sample is lost. */
static size_t libunwind_finds;
static enum cfi_walk_end libunwind_ends;
static unsigned libunwind_asked, known_files;
static struct walk_worker_stats libunwind_stats;

/* The owners of whose readers kiln asks, in turn; and which of them has one. */
static uint32_t asked_for[8], has_no_reader;
static unsigned n_asked_for;

struct walk_worker *walk_set_for(struct walk_set *s, uint32_t owner)
{
	(void)s;
	asked_for[n_asked_for++ % 8] = owner;
	return owner && owner == has_no_reader ? NULL : (struct walk_worker *)asked_for;
}

bool walk_worker_knows(const struct walk_worker *w, uint32_t file)
{
	(void)w, (void)file;
	return false;
}

void walk_set_rest(struct walk_set *s)
{
	(void)s;
}

void walk_set_forget(struct walk_set *s)
{
	(void)s;
}

int walk_worker_add(struct walk_worker *w, uint32_t number, const struct sym_file *file)
{
	(void)w, (void)number, (void)file;
	known_files++;
	return 0;
}

void walk_worker_run(struct walk_worker *w, size_t n, walk_prepare_fn prepare, walk_done_fn done,
		     void *ctx)
{
	uint64_t frames[16];

	(void)w;
	for (size_t i = 0; i < 16; i++)
		frames[i] = i + 1;
	for (size_t i = 0; i < n; i++) {
		struct walk_sample sample = {0};

		prepare(ctx, i, &sample);
		assert_int_equal(sample.captured.regs[UNWIND_RSP], SP);
		assert_int_equal(sample.captured.below, KILN_RED_ZONE);
		assert_int_equal(sample.n_live, 2);
		assert_int_equal(sample.regions[0].start, CODE);
		assert_int_equal(sample.regions[1].start, FILE_CODE);
		assert_int_equal(sample.regions[1].file_off, 0x1000);
		libunwind_asked++;
		done(ctx, i, frames, libunwind_finds, libunwind_ends);
	}
}

void walk_set_stats(const struct walk_set *s, struct walk_worker_stats *out)
{
	(void)s;
	*out = libunwind_stats;
}

#endif
