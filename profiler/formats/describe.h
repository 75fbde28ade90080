/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the pictures of a profile have in common: how its values read to people, its title, and the
 * class of each frame, which gives the colour.
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
	int64_t scale;	    /* one of the profile's units in ns or bytes */
	char name[48];	    /* follows the number: "CPU", "samples", "alloc_space" */
	int64_t per_sample; /* value of one sample, where all samples agree; else 0 */
};

/* value must be an index into sample_types. */
void measure_of(struct measure *m, const struct profile *p, size_t value);

/* "1.02 s CPU", "101 samples"; clean text. */
void measure_add_value(struct buf *b, const struct measure *m, int64_t v);

/* "1.02 s CPU (101 samples, 12.3 %)", the share being v of total, left out where that is 0. */
void measure_add(struct buf *b, const struct measure *m, int64_t v, int64_t total);

/* Who was profiled: "burn", "burn and 3 more", "cpu profile"; clean text. 0 or -ENOMEM. */
int describe_title(struct buf *b, const struct profile *p);

/* When and for how long: "2026-11-22 02:14:03 UTC, 10.0 s"; empty if the profile does not say. */
void describe_time(struct buf *b, const struct profile *p);

/*
 * key, what the legend says, colour as hue, saturation, lightness on which near-black text reads
 * well (contrast 4.5:1 and more, jitter included).
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

/* Degrees of hue and per cent of lightness a name moves its class's colour by, at most. */
#define CLASS_HUE_JITTER   7
#define CLASS_LIGHT_JITTER 4

enum frame_class frame_class_of(const struct calltree *t, const struct calltree_node *node);

#endif
