/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a process that reads foreign files has failed on: files, file systems whose server hung, and
 * how often it failed lately. So that whoever starts it again does not ask the same once more. Times
 * are CLOCK_MONOTONIC. An object of zeros is empty.
 */
#ifndef KILN_SYMBOLIZER_WORKER_STALLS_H
#define KILN_SYMBOLIZER_WORKER_STALLS_H

#include "profiler/base/build_id.h"
#include "profiler/base/vec.h"
#include "symbolizer/query/answer.h"

/* Files remembered as bad: the oldest makes room. */
#define BAD_FILES_MAX 1024
/* File systems remembered, each of which cost seconds: more are not. */
#define STALLED_DEVS_MAX 64
/* Failures are counted for so long, and then from zero again. */
#define WINDOW_NS 600000000000ull

/* What is still asked of a file. */
enum trust { NO_NAMES, NO_LINES, ALL };

/* What a file is known by: its build id, else what the kernel says of it, else a number of whoever
 * has numbers. Parts that are not known are zero. */
struct file_id {
	struct build_id build_id;
	struct sym_file_key key;
	uint32_t number;
};

struct bad_file {
	struct file_id id;
	enum trust trust;
	uint64_t since_ns;
};

struct stalled_dev { /* st_dev of a file system whose server hung */
	uint64_t dev, since_ns;
	unsigned stalls;
};

struct stalls {
	uint64_t keep_ns; /* files and file systems are forgotten after that; 0: never */
	VEC(struct bad_file) bad;
	VEC(struct stalled_dev) devs;
	uint64_t window_ns;
	unsigned failures;     /* since then */
	uint64_t files_failed; /* that became bad, in all */
};

void stalls_release(struct stalls *s);

/* By build id, or what the kernel says. */
void file_id_of(const struct sym_file *file, struct file_id *id);
bool file_id_equal(const struct file_id *a, const struct file_id *b);

/* What is left to ask of a file: ALL if nothing is held against it. */
enum trust stalls_trust(struct stalls *s, const struct file_id *id, uint64_t now_ns);
/* From now on there is only so much left. 0 or -ENOMEM. */
int stalls_distrust(struct stalls *s, const struct file_id *id, enum trust left, uint64_t now_ns);

/* st_dev of an open file as the kernel has it, 0 if it cannot be told. */
uint64_t stalls_dev_of(int fd);
/* How often a file there (0: nowhere) has stalled lately. */
unsigned stalls_on(struct stalls *s, uint64_t dev, uint64_t now_ns);
/* One more file there has. 0 or -ENOMEM. */
int stalls_note(struct stalls *s, uint64_t dev, uint64_t now_ns);

/* Failures in the window, whatever they were on; and one more. */
unsigned stalls_failures(struct stalls *s, uint64_t now_ns);
void stalls_note_failure(struct stalls *s);

#endif
