/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads and writes profile files. The suffix gives the format. */
#ifndef KILN_FORMATS_EXPORT_H
#define KILN_FORMATS_EXPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "profiler/base/buf.h"
#include "profiler/profile/profile.h"

enum export_format {
	EXPORT_PPROF_GZ,   /* .pb.gz, .pprof */
	EXPORT_PPROF_ZST,  /* .pb.zst */
	EXPORT_PPROF,	   /* .pb */
	EXPORT_FOLDED,	   /* .folded, .txt */
	EXPORT_SVG,	   /* .svg */
	EXPORT_HTML,	   /* .html */
	EXPORT_SPEEDSCOPE, /* .json */
	EXPORT_AUTOFDO	   /* .autofdo */
};

struct export_opts {
	const char *title; /* for svg and html; NULL: made from the profile */
	const char *base;  /* html: what a difference compares with, or NULL */
	bool asks;	   /* html: its address can ask for other ranges (profiler/http/range.h) */
	bool folded_ns;	   /* folded: time instead of samples */
	/* Folded: "-" between user and kernel frames, like bcc's profile -d. */
	bool folded_delim;
	bool folded_annotate; /* folded: _[k] kernel, _[i] inlined, _[j] JIT suffixes */
};

/* Format of a path, or of a bare suffix such as "svg"; -EINVAL if it is unknown. */
int export_format_of(const char *path);
/* ".pb.gz .pb.zst .pb .folded .svg .html .json .autofdo", for messages. */
const char *export_suffixes(void);
bool export_is_binary(enum export_format f);
/*
 * True if the profile has values below zero (a difference of profiles), which this format does not
 * have. Equal stacks are added up there, and sums below zero are left out. pprof and html have them all.
 */
bool export_leaves_out(const struct profile *p, enum export_format f);

/* Appends the profile in that format. 0, -EFBIG over a cap below, or another -errno. */
int export_profile(struct buf *out, const struct profile *p, enum export_format f,
		   const struct export_opts *opts);

/* What an error of these, and of reports, means: without a full stop. */
const char *export_strerror(int err);

/* One function for each format. export_profile() has their table. */
int export_pprof(struct buf *out, const struct profile *p);
int export_folded(struct buf *out, const struct profile *p, const struct export_opts *opts);
int export_svg(struct buf *out, const struct profile *p, const struct export_opts *opts);
int export_html(struct buf *out, const struct profile *p, const struct export_opts *opts);
int export_speedscope(struct buf *out, const struct profile *p, const struct export_opts *opts);

/*
 * Caps on input and output. A file of a few MB can contain one long name and a million frames, or
 * inflate a thousandfold. The caps bound time and memory, far above real profiles.
 */
#define IMPORT_MAX_BYTES (1u << 30) /* after inflating */
/* In one table; a file of IMPORT_MAX_BYTES has 16 bytes for each. */
#define IMPORT_MAX_ENTRIES (1u << 26)
#define IMPORT_MAX_FRAMES  65536 /* in one stack */
#define IMPORT_MAX_INLINED 1024	 /* in one location */
#define IMPORT_MAX_TYPES   128
/* Counted each time that something refers to them. */
#define IMPORT_MAX_INLINED_ALL (1u << 28)
#define IMPORT_MAX_NAME_BYTES  (1ull << 32)
#define IMPORT_MAX_LABEL_BYTES (1ull << 34)
#define EXPORT_MAX_BYTES       (1ull << 32) /* of text */
#define EXPORT_MAX_FRAMES      (1u << 28)   /* of all distinct stacks, with inlined frames */

/*
 * Reads a pprof profile that any program wrote: raw, gzip (with several members, too) or zstd. It
 * may inflate to at most 1 GiB. Input is hostile: every reference is checked. On failure *why is a
 * sentence without a full stop: "truncated gzip stream", "not a pprof profile: ...". 0, -EBADMSG,
 * -EFBIG or -ENOMEM.
 */
int import_pprof(struct profile **out, const void *data, size_t len, const char **why);
/* So of what inflates to at most so many bytes. */
int import_pprof_most(struct profile **out, const void *data, size_t len, size_t most,
		      const char **why);
/* Does the same for a file; "-" is stdin. May return the -errno of open(), too. */
int import_file(struct profile **out, const char *path, const char **why);

#endif
