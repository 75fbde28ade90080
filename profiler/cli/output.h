/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a command writes a profile, and in which format. */
#ifndef KILN_CLI_OUTPUT_H
#define KILN_CLI_OUTPUT_H

#include "profiler/formats/export.h"

struct command;

#define OUTPUT_FORMAT_WORDS "pb.gz|pb.zst|pb|folded|svg|html|json|autofdo"

struct output {
	const char *path;   /* NULL and "-": standard output */
	const char *format; /* a word; NULL: from the path's suffix */
};

/* The format. -EINVAL after an error on stderr: it is unknown, or a binary format would go to a
 * terminal. */
int output_format(const struct output *o, const struct command *cmd);

/* Writes the profile. The file appears whole or not at all. Reports errors on stderr. Returns an
 * exit code. */
int output_profile(const struct output *o, const struct command *cmd, const struct profile *p,
		   enum export_format format, const struct export_opts *opts);

#endif
