/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all pictures of a profile share: how values are printed, the title, and the class of each
 * frame, which gives its colour.
 */
#ifndef KILN_FORMATS_DESCRIBE_H
#define KILN_FORMATS_DESCRIBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiler/base/buf.h"
#include "profiler/profile/calltree.h"
#include "profiler/profile/profile.h"

enum measure_unit { MEASURE_COUNT, MEASURE_NS, MEASURE_BYTES };

/* One sample type of a profile. */
struct measure {
	size_t value; /* sample type index */
	enum measure_unit unit;
	int64_t scale;	    /* ns or bytes in one of the profile's units */
	char name[48];	    /* follows the number: "CPU", "samples", "alloc_space" */
	int64_t per_sample; /* value of one sample if all samples agree, else 0 */
};

/* `value` must be an index into sample_types. */
void measure_of(struct measure *m, const struct profile *p, size_t value);

/* Appends "1.02 s CPU" or "101 samples"; clean text. */
void measure_add_value(struct buf *b, const struct measure *m, int64_t v);

/*
 * Appends "1.02 s CPU (101 samples, 12.3 %)". The share is v of total; without total there is none.
 */
void measure_add(struct buf *b, const struct measure *m, int64_t v, int64_t total);

/* Appends what was profiled: "burn", "burn and 3 more", "cpu profile"; clean text. 0 or -ENOMEM. */
int describe_title(struct buf *b, const struct profile *p);

/* Appends when and for how long: "2026-11-22 02:14:03 UTC, 10.0 s". Nothing if the profile does
 * not say. */
void describe_time(struct buf *b, const struct profile *p);
/* Appends "2026-11-22 02:14:03 to 02:24:03 UTC"; an end that is not after the begin is left out. */
void describe_range(struct buf *b, int64_t begin_ns, int64_t end_ns);

/*
 * Key, text of the legend, and colour as hue, saturation, lightness. Near-black text is readable on
 * every colour (contrast at least 4.5:1, jitter included).
 */
#define FRAME_CLASSES(X)                                                                           \
	X(kernel, "kernel", 28, 92, 66)                                                            \
	X(cpp, "C++, Rust", 48, 88, 64)                                                            \
	X(native, "native", 8, 82, 71)                                                             \
	X(jit, "JIT", 112, 48, 66)                                                                 \
	X(inlined, "inlined", 176, 52, 66)                                                         \
	X(root, "process, thread", 214, 30, 76)                                                    \
	X(synthetic, "lost, hidden", 285, 22, 76)                                                  \
	X(unknown, "unknown", 40, 6, 74)

enum frame_class {
#define X(key, label, h, s, l) CLASS_##key,
	FRAME_CLASSES(X)
#undef X
		CLASS_COUNT
};

struct frame_class_info {
	const char *key, *label;
	int hue, saturation, lightness;
};
extern const struct frame_class_info frame_classes[CLASS_COUNT];

/* A name shifts its class's colour by at most so many degrees of hue and per cent of lightness. */
#define CLASS_HUE_JITTER   7
#define CLASS_LIGHT_JITTER 4

enum frame_class frame_class_of(const struct calltree *t, const struct calltree_node *node);

#endif
