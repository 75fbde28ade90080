/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a command writes a profile to, and in which format. */
#ifndef KILN_CLI_OUTPUT_H
#define KILN_CLI_OUTPUT_H

#include "profiler/formats/export.h"

struct command;

#define OUTPUT_FORMAT_WORDS "pb.gz|pb.zst|pb|folded|svg|html|json"

struct output {
	const char *path;   /* NULL and "-": standard output */
	const char *format; /* a word; NULL: the path's suffix says it */
};

/* The format, or -EINVAL, said on stderr: none is known, or a binary one would go to a terminal. */
int output_format(const struct output *o, const struct command *cmd);

/* Writes the profile: the file appears whole or not at all. An exit code; what is wrong is said. */
int output_profile(const struct output *o, const struct command *cmd, const struct profile *p,
		   enum export_format format, const struct export_opts *opts);

#endif
