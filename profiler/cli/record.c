// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/clock.h"
#include "profiler/base/io.h"
#include "profiler/base/outfile.h"
#include "profiler/base/log.h"
#include "profiler/base/privileges.h"
#include "profiler/base/text.h"
#include "profiler/cgroups/memory_limit.h"
#include "profiler/cli/answer.h"
#include "profiler/cli/command.h"
#include "profiler/cli/fetch.h"
#include "profiler/cli/record_options.h"
#include "profiler/cli/summary.h"
#include "profiler/cli/term.h"
#include "profiler/formats/export.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"
#include "profiler/record/session.h"

/* Processes that were not recorded; on one line. */
#define CHILDREN_SHOWN 16

/* Name of the target, for the file's name: the command, the process, or the kind of target. */
static void target_name(const struct record_options *r, char *name, size_t size)
{
	char path[64];

	snprintf(name, size, "%s", r->sampler.comm_glob ? r->sampler.comm_glob : "all");
	if (r->cgroup_args.len) {
		const char *slash = strrchr(r->cgroup_args.data[0].text, '/');

		snprintf(name, size, "%s", slash ? slash + 1 : r->cgroup_args.data[0].text);
	}
	if (r->pids.len) {
		snprintf(path, sizeof(path), "/proc/%d/comm", r->pids.data[0]);
		if (io_read_line(path, name, size))
			snprintf(name, size, "%d", r->pids.data[0]);
	}
	if (r->argv) {
		const char *slash = strrchr(r->argv[0], '/');

		snprintf(name, size, "%s", slash ? slash + 1 : r->argv[0]);
	}
	for (char *c = name; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
			*c = '_';
}

/* malloc'd "kiln-NAME-20261122T021407Z.pb.gz", or NULL. */
static char *default_output(const struct record_options *r)
{
	char name[128], when[32], *path;
	time_t now = time(NULL);
	struct tm tm;

	target_name(r, name, sizeof(name));
	strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
	return asprintf(&path, "kiln-%s-%s.pb.gz", name, when) < 0 ? NULL : path;
}

/* Fails before the recording, not after it. */
static int check_writable(const char *path)
{
	struct privileges was = privileges_write_output();
	int err = outfile_check(path);

	privileges_set(&was);
	if (err)
		log_error("cannot write %s: %s", path, outfile_strerror(err));
	return err;
}

static void print_progress(void *ctx, const struct collector_progress *p)
{
	char samples[32], lost[32];

	(void)ctx;
	if (!io_can_write(STDERR_FILENO)) /* ^S stops the terminal, and not the recording */
		return;
	fprintf(stderr, "\r  %5.1f s  %s sample%s  %s lost ", (double)p->sampling_ns / 1e9,
		text_format_count(p->samples, samples, sizeof(samples)), text_s(p->samples),
		text_format_count(p->lost, lost, sizeof(lost)));
	fflush(stderr);
}

static void say_start(void *ctx)
{
	const struct record_options *r = ctx;
	const char *sides = r->sampler.user && r->sampler.kernel ? ""
			    : r->sampler.user			 ? ", user frames only"
								 : ", kernel frames only";
	char delay[48] = "", text[32];

	if (r->delay_ns)
		snprintf(delay, sizeof(delay), " after %s",
			 text_format_ns(r->delay_ns, text, sizeof(text)));
	log_info("sampling at %" PRIu64 " Hz%s%s%s", r->sampler.freq_hz, delay, sides,
		 r->argv || r->duration_ns ? "" : "; ^C stops");
}

/* Writes the profile in its format. Returns an exit code. */
static int write_profile(const struct record_options *r, const struct profile *p, const char *path,
			 size_t *written)
{
	bool to_stdout = !strcmp(path, "-");
	struct export_opts opts = {0};
	struct privileges was;
	struct outfile *f;
	struct buf b = {0};
	int err = export_profile(&b, p, (enum export_format)r->format, &opts);

	if (!err && to_stdout) {
		err = io_write_to_reader(STDOUT_FILENO, b.data, b.len);
	} else if (!err) {
		was = privileges_write_output();
		err = outfile_open(&f, path);
		if (!err) {
			outfile_write(f, b.data, b.len);
			err = outfile_commit(f);
		}
		privileges_set(&was);
	}
	*written = b.len;
	buf_release(&b);
	if (err)
		log_error("cannot write %s: %s", to_stdout ? "to standard output" : path,
			  outfile_strerror(err));
	return err ? EXIT_ERROR : EXIT_OK;
}

static void say_answer(const struct record_options *r, const struct session_result *s,
		       const struct quality *q, const char *path, size_t written)
{
	struct term t = term_of(STDERR_FILENO, r->color);
	struct buf b = {0};
	char samples[32];
	struct buf lost = {0};
	double seconds = (double)s->elapsed_ns / 1e9;
	struct summary summary = {s->profile, q, profile_default_type(s->profile)};
	_cleanup_free_ char *top = NULL;

	if (log_level() == LOG_QUIET)
		return;
	answer_lost(&lost, quality_lost(q));
	buf_printf(&b,
		   "%.1f s, %s sample%s%s of %s on %zu CPU%s; kiln used %.1f %% of one CPU "
		   "meanwhile\n",
		   seconds, text_format_count(q->recorded, samples, sizeof(samples)),
		   text_s(q->recorded), buf_cstr(&lost), s->event, s->cpus, s->cpus == 1 ? "" : "s",
		   seconds > 0 ? (double)s->own_cpu_ns / 1e7 / seconds : 0.0);
	buf_release(&lost);
	summary_text(&b, &summary, &t, &top);
	if (strcmp(path, "-")) {
		buf_printf(&b, "Wrote %s (%zu KB)\n", path, (written + 1023) / 1024);
		if (r->format <= EXPORT_PPROF)
			summary_next(&b, s->profile, path, top);
	}
	fputs(buf_cstr(&b), stderr);
	buf_release(&b);
}

static int say_failure(const struct record_options *r, int err, const char *why,
		       const struct session_result *s)
{
	switch (err) {
	case -ENOEXEC:
		log_error("%s: %s", r->argv[0], why);
		return s->exit_code;
	case -EPERM:
	case -EACCES:
		log_error("%s", why);
		return EXIT_NOT_PERMITTED;
	case -ECANCELED:
		log_error("%s: %s", r->argv[0], why);
		return EXIT_KILN_FAILED;
	case -EAGAIN:
		log_error("no more processes or threads may be started: ulimit -u, or pids.max of "
			  "the cgroup, is too low");
		return r->argv ? EXIT_KILN_FAILED : EXIT_ERROR;
	case -ESRCH:
		log_error("-p %d: %s", (int)s->missing_pid, why);
		return EXIT_NO_TARGET;
	default:
		log_error("%s (%s)", why, strerror(-err));
		return r->argv ? EXIT_KILN_FAILED : EXIT_ERROR;
	}
}

/* True if the command did use CPU time: says why none of it was sampled. */
static bool say_unseen(const struct record_options *r, const struct session_result *s,
		       const struct quality *q)
{
	uint64_t cpu_ns = r->argv ? launch_cpu_ns(&s->child) : 0;

	if (cpu_ns < 10 * NS_PER_S / r->sampler.freq_hz)
		return false;
	log_error("no samples: %s used %.2f s of CPU time, %s; nothing was written", r->argv[0],
		  (double)cpu_ns / 1e9,
		  q->lost[LOSS_privileged]
			  ? "but has privileges of its own (set-user-id, capabilities): run as root"
		  : quality_rootless(s->profile)
			  ? "but in the kernel or in short-lived processes: run as root"
			  : "but not where samples were asked for (--comm, -C, --delay)");
	return true;
}

/* Says why a profile would be empty, as far as the counters tell. */
static void say_no_samples(const struct record_options *r, const struct session_result *s,
			   const struct quality *q)
{
	const char *what = r->argv ? r->argv[0] : r->all ? "the machine" : "the target";
	double seconds = (double)s->elapsed_ns / 1e9;
	uint64_t lost = quality_lost(q) - q->lost[LOSS_timer_overrun] - q->lost[LOSS_cpu_gap] -
			q->lost[LOSS_privileged];

	if (lost) /* of the target, that is: those of others are filtered out before */
		log_error("no samples: all that were taken of %s in %.1f s were lost; nothing was "
			  "written",
			  what, seconds);
	else if (s->elapsed_ns < 2 * NS_PER_S / r->sampler.freq_hz && r->delay_ns)
		log_error("no samples: %s ended before --delay was over; nothing was written",
			  r->all ? "the recording" : what);
	else if (s->elapsed_ns < 2 * NS_PER_S / r->sampler.freq_hz)
		log_error("no samples: %s ended before any was due, after %.1f ms; nothing was "
			  "written",
			  r->all ? "the recording" : what, seconds * 1e3);
	else if (!q->filtered && !q->idle && !q->stolen && !quality_rootless(s->profile))
		log_error(
			"no samples: the timers of this machine did not fire in %.1f s, see `kiln "
			"doctor`; nothing was written",
			seconds);
	else if (!say_unseen(r, s, q))
		log_error("no samples: %s used no CPU time while it was recorded (%.1f s); nothing "
			  "was written",
			  what, seconds);
}

static void say_children(const struct children *c, const char *what)
{
	struct buf b = {0};

	if (!c->found.len)
		return;
	for (size_t i = 0; i < c->found.len && i < CHILDREN_SHOWN; i++)
		buf_printf(&b, "%s%d", i ? "," : "", (int)c->found.data[i].tgid);
	log_info("processes that it started %s: -p %s%s", what, buf_cstr(&b),
		 c->found.len > CHILDREN_SHOWN ? " and others" : "");
	buf_release(&b);
}

static int finish(const struct record_options *r, const struct session_result *s,
		  const struct quality *q, const char *path)
{
	size_t written;
	int code;

	/* What may not be sampled is in a profile of something else. */
	if (!s->profile->samples.len || (!q->recorded && q->lost[LOSS_privileged])) {
		say_no_samples(r, s, q);
		/* A server's master sleeps while its workers work, which were there before. */
		say_children(&s->busy, "before did");
		say_children(&s->left, "run on");
		return EXIT_NO_SAMPLES;
	}
	code = write_profile(r, s->profile, path, &written);
	if (code == EXIT_OK)
		say_answer(r, s, q, path, written);
	say_children(&s->busy, "before ran as well, unrecorded");
	say_children(&s->left, "run on, unrecorded");
	return code;
}

/* The command's own status counts, unless kiln failed; `code` is what became of the recording. */
static int end_command(struct session_result *s, int code)
{
	int command = session_end_command(s);

	if (!s->launched)
		return code;
	if (code == EXIT_NO_SAMPLES)
		return command ?: code;
	return code ? EXIT_KILN_FAILED : command;
}

/* A command writes to the same terminal: nothing stands between its lines. */
static bool shows_progress(const struct record_options *r)
{
	return !r->argv && isatty(STDERR_FILENO) && log_level() != LOG_QUIET;
}

static int record(struct record_options *r)
{
	_cleanup_free_ char *path = r->output ? strdup(r->output) : default_output(r);
	bool show = shows_progress(r);
	struct session_opts opts = {
		.sampler = r->sampler,
		.tgids = r->pids.data,
		.n_tgids = r->pids.len,
		.argv = r->argv,
		.everything = r->all,
		.duration_ns = r->duration_ns,
		.delay_ns = r->delay_ns,
		.max_bytes = r->max_memory,
		.user_labels = r->labels.data,
		.names_only = r->names_only,
		.no_sandbox = r->no_sandbox,
		.sheds_privileges = true,
		.started = say_start,
		.progress = show ? print_progress : NULL,
		.ctx = r,
	};
	struct session_result result;
	struct quality q = {0};
	const char *why = "";
	int err, code;

	if (!path || (strcmp(path, "-") && check_writable(path)))
		return r->argv ? EXIT_KILN_FAILED : EXIT_ERROR;
	if (r->debuginfod && fetch_begin(&opts.debuginfod, r->debuginfod_urls))
		return r->argv ? EXIT_KILN_FAILED : EXIT_ERROR;
	memory_limit_warn();
	err = session_run(&opts, &result, &q, &why);
	if (show && io_can_write(STDERR_FILENO))
		fputc('\n', stderr);
	if (err) {
		code = say_failure(r, err, why, &result);
		session_end_command(&result);
	} else {
		code = end_command(&result, finish(r, &result, &q, path));
	}
	fetch_end(opts.debuginfod);
	session_result_release(&result);
	quality_release(&q);
	return code;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct record_options r = {0};
	int code = record_options_parse(&r, self, argc, argv);

	if (code == EXIT_OK)
		code = record(&r);
	record_options_release(&r);
	return code < 0 ? EXIT_OK : code;
}

const struct command command_record = {
	.name = "record",
	.summary = "profile a command, processes, a cgroup or the whole machine",
	.synopsis = "[-a | -p PID,... | --unit NAME | ... | [--] COMMAND [ARG...]] [options]",
	.examples =
		"  kiln record -- ./prog --flag           profile a program and all it starts\n"
		"  kiln record -p 4312 -d 30s             profile a running process for 30 s\n"
		"  kiln record -a -d 10s -o all.html      the whole machine, as a page to open\n"
		"  kiln record --unit nginx.service -d 1m -o nginx.pb.gz\n"
		"  kiln record -F 999 -l build=42 -- make -j8\n",
	.operands = "COMMAND",
	.options = record_option_specs,
	.run = run,
	.samples = true,
};
