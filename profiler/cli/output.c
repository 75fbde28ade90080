// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/io.h"
#include "profiler/base/outfile.h"
#include "profiler/base/log.h"
#include "profiler/cli/autofdo.h"
#include "profiler/cli/command.h"
#include "profiler/cli/output.h"

static bool is_stdout(const struct output *o)
{
	return !o->path || !strcmp(o->path, "-");
}

int output_format(const struct output *o, const struct command *cmd)
{
	const char *from = o->format ? o->format : o->path;
	int format;

	if (!o->path && !o->format) {
		usage_error(cmd, "no output file: give -o FILE with one of the suffixes %s",
			    export_suffixes());
		return -EINVAL;
	}
	if (!o->format && is_stdout(o)) {
		usage_error(cmd, "-o - has no suffix: give the format with --format");
		return -EINVAL;
	}
	format = export_format_of(from);
	if (format < 0) {
		usage_error(cmd, "\"%s\" is not a known format; known suffixes: %s", from,
			    export_suffixes());
		return -EINVAL;
	}
	if (is_stdout(o) && export_is_binary((enum export_format)format) && isatty(STDOUT_FILENO)) {
		usage_error(cmd, "not writing a binary format to a terminal; give -o FILE");
		return -EINVAL;
	}
	return format;
}

static int write_all(const struct output *o, const struct buf *b)
{
	struct outfile *f;
	int err;

	signal(SIGXFSZ, SIG_IGN); /* a limit of file sizes is an error */
	if (is_stdout(o))
		return io_write(STDOUT_FILENO, b->data, b->len);
	err = outfile_open(&f, o->path);
	if (err)
		return err;
	outfile_write(f, b->data, b->len);
	return outfile_commit(f);
}

/* An exit code. */
static int make(struct buf *out, const struct command *cmd, const struct profile *p,
		enum export_format format, const struct export_opts *opts)
{
	int err;

	if (format == EXPORT_AUTOFDO)
		return autofdo_write(out, cmd, p);
	err = export_profile(out, p, format, opts);
	if (err)
		log_error("%s: %s", cmd->name, export_strerror(err));
	return err ? EXIT_ERROR : EXIT_OK;
}

int output_profile(const struct output *o, const struct command *cmd, const struct profile *p,
		   enum export_format format, const struct export_opts *opts)
{
	struct buf out = {0};
	int code = make(&out, cmd, p, format, opts), err = code ? 0 : write_all(o, &out);

	if (err)
		log_error("%s: %s", is_stdout(o) ? "standard output" : o->path,
			  outfile_strerror(err));
	if (!code && !err && export_leaves_out(p, format))
		log_info("the profile has values below zero: only stacks that grew are in this "
			 "format (.pb.gz and .html have all)");
	buf_release(&out);
	return code ? code : err ? EXIT_ERROR : EXIT_OK;
}
