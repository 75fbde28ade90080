/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options of `kiln record`: what to sample, how, and where to write. */
#ifndef KILN_CLI_RECORD_OPTIONS_H
#define KILN_CLI_RECORD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "profiler/base/vec.h"
#include "profiler/cli/command.h"
#include "profiler/sampler/sampler.h"

struct cgroups;

struct record_options {
	struct sampler_opts sampler;
	VEC(pid_t) pids;
	VEC(char *) cgroup_paths; /* owned; NULL-terminated once resolved */
	VEC(const char *) labels; /* "key=value"; NULL-terminated once resolved */
	VEC(struct cgroup_arg {
		int kind; /* option id */
		const char *text;
	})
	cgroup_args;
	char **argv; /* command, or NULL */
	bool all;
	uint64_t duration_ns, delay_ns;
	uint64_t max_memory; /* bytes */
	bool names_only, no_sandbox;
	bool debuginfod;
	const char *debuginfod_urls; /* NULL: those of the environment */
	const char *output;	     /* path, "-", or NULL: kiln chooses a name */
	int format;		     /* enum export_format */
	enum color_when color;
};

extern const struct option_spec record_option_specs[];

/*
 * Parses and checks the command line. EXIT_OK: go on. -1: help was printed, exit with EXIT_OK. Else
 * an exit code, after an error on stderr.
 */
int record_options_parse(struct record_options *r, const struct command *cmd, int argc,
			 char **argv);
void record_options_release(struct record_options *r);

#endif
