/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Profile files in and out. The format follows the suffix. */
#ifndef KILN_FORMATS_EXPORT_H
#define KILN_FORMATS_EXPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "profiler/base/buf.h"
#include "profiler/profile/profile.h"

enum export_format {
	EXPORT_PPROF_GZ,  /* .pb.gz, .pprof */
	EXPORT_PPROF_ZST, /* .pb.zst */
	EXPORT_PPROF,	  /* .pb */
	EXPORT_FOLDED,	  /* .folded, .txt */
	EXPORT_SVG,	  /* .svg */
	EXPORT_HTML,	  /* .html */
	EXPORT_SPEEDSCOPE /* .json */
};

struct export_opts {
	const char *title;    /* for svg and html; NULL = from the profile */
	bool folded_ns;	      /* folded: the time value instead of samples */
	bool folded_delim;    /* folded: "-" between user and kernel frames, as bcc's profile -d */
	bool folded_annotate; /* folded: _[k] kernel, _[i] inlined, _[j] JIT suffixes */
};

/* Format for a path (or bare suffix word such as "svg"), or -EINVAL. */
int export_format_of(const char *path);
/* "".pb.gz .pb.zst .pb .folded .svg .html .json", for messages. */
const char *export_suffixes(void);
bool export_is_binary(enum export_format f);

/* Appends the profile in that format. 0, -EFBIG past a cap below, or -errno. */
int export_profile(struct buf *out, const struct profile *p, enum export_format f,
		   const struct export_opts *opts);

/* One function per format; export_profile() is their table. */
int export_pprof(struct buf *out, const struct profile *p);
int export_folded(struct buf *out, const struct profile *p, const struct export_opts *opts);
int export_svg(struct buf *out, const struct profile *p, const struct export_opts *opts);
int export_html(struct buf *out, const struct profile *p, const struct export_opts *opts);
int export_speedscope(struct buf *out, const struct profile *p, const struct export_opts *opts);

/*
 * Caps on what comes in and goes out. A file of a few MB can hold one long name and a million
 * frames, or inflate a thousandfold; these bound time and memory, far above any real profile.
 */
#define IMPORT_MAX_BYTES   (1u << 30)	/* inflated */
#define IMPORT_MAX_ENTRIES (1u << 26)	/* in one table: 16 bytes each in a file of that size */
#define IMPORT_MAX_FRAMES  65536	/* in one stack */
#define IMPORT_MAX_INLINED 1024		/* in one location */
#define EXPORT_MAX_BYTES   (1ull << 32) /* of text */
#define EXPORT_MAX_FRAMES  (1u << 28)	/* of all distinct stacks, inlined ones counted */

/*
 * Reads pprof bytes: raw, gzip (multi-member too) or zstd, Go's and everyone's. Inflated size is
 * capped at 1 GiB. Hostile input: every reference is checked. On failure *why is a sentence without
 * a full stop that says what is wrong ("truncated gzip stream", "not a pprof profile: ..."). 0,
 * -EBADMSG, -EFBIG or -ENOMEM.
 */
int import_pprof(struct profile **out, const void *data, size_t len, const char **why);
/* The same for a file, "-" being stdin. -errno of the open too. */
int import_file(struct profile **out, const char *path, const char **why);

#endif
