// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/cpus.h"
#include "profiler/base/log.h"
#include "profiler/base/privileges.h"
#include "profiler/base/quantity.h"
#include "profiler/base/text.h"
#include "profiler/cli/output.h"
#include "profiler/cli/record_options.h"
#include "profiler/formats/export.h"
#include "profiler/cgroups/cgroups.h"
#include "profiler/naming/naming.h"
#include "profiler/profile/label_keys.h"
#include "profiler/sampler/glob.h"

#define DEFAULT_HZ	  99 /* not in step with 100 Hz timers */
#define MAX_HZ		  50000
#define DEFAULT_ALL_NS	  10000000000ull
#define DEFAULT_WINDOW_NS 5000000000ull /* longer windows send the same stacks less often */
#define WINDOW_SAMPLES	  5000ull	/* at most so many of one CPU: they may all differ */
#define MIN_WINDOW_NS	  100000000ull
#define MAX_WINDOW_NS	  60000000000ull
/* A minute of 1,000 samples a second that all differ: 22 MB. An agent's windows hold less. */
#define DEFAULT_MEMORY (64u << 20)
#define MIN_MEMORY     (1u << 20)

/* Makes "|auto|fp|dwarf" from a table such as UNWIND_MODES. The words start after the first bar. */
#define BAR_AND_WORD(id, name) "|" name
static const char event_words[] = SAMPLE_EVENTS(BAR_AND_WORD);
static const char unwind_words[] = UNWIND_MODES(BAR_AND_WORD);

/* perf's words for --call-graph. */
#define CALL_GRAPH_WORDS "fp|dwarf|lbr"

static const enum sample_event events[] = {
#define X(id, name) EVENT_##id,
	SAMPLE_EVENTS(X)
#undef X
};
static const enum unwind_mode unwind_modes[] = {
#define X(id, name) MODE_##id,
	UNWIND_MODES(X)
#undef X
};

enum {
	OPT_ALL,
	OPT_PID,
	OPT_CGROUP,
	OPT_UNIT,
	OPT_CONTAINER,
	OPT_COMM,
	OPT_FREQ,
	OPT_DURATION,
	OPT_DELAY,
	OPT_EVENT,
	OPT_KERNEL,
	OPT_USER,
	OPT_CPU,
	OPT_LABEL,
	OPT_OUTPUT,
	OPT_FORMAT,
	OPT_WINDOW,
	OPT_MAX_MEMORY,
	OPT_NO_INLINE,
	OPT_NO_SANDBOX,
	OPT_UNWIND,
	OPT_DEBUGINFOD,
	OPT_CALL_GRAPH,
	OPT_STACKS,
};

const struct option_spec record_option_specs[] = {
	{"all-cpus", 'a', NULL, "everything that runs (for 10 s, if there is no -d)", OPT_ALL},
	{"pid", 'p', "PID",
	 "these processes and what they start from now on; PID[,PID...]; repeatable", OPT_PID},
	{"cgroup", 0, "DIR", "processes in this cgroup and below; may be repeated", OPT_CGROUP},
	{"unit", 0, "NAME", "processes of this systemd unit; may be repeated", OPT_UNIT},
	{"container", 0, "ID", "processes of this container (a prefix will do); may be repeated",
	 OPT_CONTAINER},
	{"comm", 0, "GLOB", "only threads whose name matches, such as 'redis-*'", OPT_COMM},
	{"freq", 'F', "HZ", "samples a second on each CPU (99)", OPT_FREQ},
	{"duration", 'd', "TIME", "stop after this time: 10, 1.5m, 500ms (bare number: seconds)",
	 OPT_DURATION},
	{"delay", 0, "TIME", "wait before sampling starts", OPT_DELAY},
	{"event", 'e', event_words + 1, "what triggers samples; auto: cycles if there is a PMU",
	 OPT_EVENT},
	{"kernel-only", 'K', NULL, "kernel frames only", OPT_KERNEL},
	{"user-only", 'U', NULL, "user frames only", OPT_USER},
	{"cpu", 'C', "LIST", "only these CPUs, such as 0-3,8", OPT_CPU},
	{"label", 'l', "KEY=VALUE", "put a label on all samples; may be repeated", OPT_LABEL},
	{"output", 'o', "FILE",
	 "output file (kiln-NAME-TIME.pb.gz), format by suffix; - is standard output", OPT_OUTPUT},
	{"format", 'f', OUTPUT_FORMAT_WORDS, "the format, whatever the suffix", OPT_FORMAT},
	{"unwind", 0, unwind_words + 1,
	 "user stacks by tables or frame pointers; auto: tables if the kernel can", OPT_UNWIND},
	{"window", 0, "TIME", "time between drains of the kernel's counts (5s)", OPT_WINDOW},
	{"max-memory", 0, "SIZE",
	 "of the profile in memory; then what is rare loses detail (64MiB)", OPT_MAX_MEMORY},
	{"no-inline", 0, NULL, "no inlined calls and no source lines: faster at the end",
	 OPT_NO_INLINE},
	{"no-sandbox", 0, NULL, "read foreign files in this process, with all its privileges",
	 OPT_NO_SANDBOX},
	{"debuginfod", 0, "[URLS]", "ask these servers for debug files (default: DEBUGINFOD_URLS)",
	 OPT_DEBUGINFOD},
	{"call-graph", 0, CALL_GRAPH_WORDS, NULL, OPT_CALL_GRAPH}, /* as perf has them */
	{"g", 'g', NULL, NULL, OPT_STACKS},
	{0},
};

static int add_pids(struct record_options *r, const struct command *cmd, const char *list)
{
	_cleanup_free_ char *copy = strdup(list);
	char *rest = copy, *word;

	if (!copy)
		return -ENOMEM;
	while ((word = strsep(&rest, ","))) {
		uint64_t pid;

		if (text_parse_u64(word, INT32_MAX, &pid) || !pid) {
			usage_error(cmd, "-p takes process ids, separated by commas, not \"%s\"",
				    word);
			return -EINVAL;
		}
		if (vec_push(&r->pids, (pid_t)pid))
			return -ENOMEM;
	}
	return 0;
}

/* A second value of a key, or one beside kiln's own, would be lost on most readers of the profile. */
static int refuse_key(const struct record_options *r, const struct command *cmd, const char *label,
		      size_t len)
{
	char key[256];

	snprintf(key, sizeof(key), "%.*s", (int)len, label);
	if (label_key_is_reserved(key)) {
		usage_error(cmd, "-l: \"%s\" is a label that kiln sets itself", key);
		return -EINVAL;
	}
	for (size_t i = 0; i < r->labels.len; i++)
		if (!strncmp(r->labels.data[i], label, len + 1)) {
			usage_error(cmd, "-l: \"%s\" is given twice", key);
			return -EINVAL;
		}
	return 0;
}

static int add_label(struct record_options *r, const struct command *cmd, const char *label)
{
	const char *eq = strchr(label, '=');

	if (!eq || eq == label || !eq[1] || eq - label > 200) {
		usage_error(cmd, "-l takes KEY=VALUE, not \"%s\"", label);
		return -EINVAL;
	}
	if (refuse_key(r, cmd, label, (size_t)(eq - label)))
		return -EINVAL;
	if (r->labels.len == NAMING_USER_LABELS_MAX) {
		usage_error(cmd, "at most %d labels can be put on samples", NAMING_USER_LABELS_MAX);
		return -EINVAL;
	}
	return vec_push(&r->labels, label);
}

static int set_freq(struct record_options *r, const struct options *o)
{
	unsigned long long hz;

	if (option_u64(o, "-F", 1, MAX_HZ, &hz))
		return -EINVAL;
	r->sampler.freq_hz = hz;
	return 0;
}

static int set_time(const struct options *o, const char *what, uint64_t *out)
{
	unsigned long long ns;

	if (option_duration_ns(o, what, &ns))
		return -EINVAL;
	*out = ns;
	return 0;
}

static int set_duration(struct record_options *r, const struct options *o)
{
	if (set_time(o, "-d", &r->duration_ns))
		return -EINVAL;
	if (r->duration_ns)
		return 0;
	usage_error(o->cmd, "-d takes a time above 0; without -d a recording goes on until ^C");
	return -EINVAL;
}

static int set_window(struct record_options *r, const struct options *o)
{
	if (set_time(o, "--window", &r->sampler.window_ns))
		return -EINVAL;
	if (r->sampler.window_ns >= MIN_WINDOW_NS && r->sampler.window_ns <= MAX_WINDOW_NS)
		return 0;
	usage_error(o->cmd, "--window takes a time from 100ms to 60s");
	return -EINVAL;
}

static int set_comm(struct record_options *r, const struct options *o)
{
	struct glob g;
	int err = glob_compile(&g, o->arg);

	r->sampler.comm_glob = o->arg;
	if (!*o->arg)
		usage_error(o->cmd, "--comm takes a glob, such as 'redis-*'");
	else if (err == -EINVAL)
		usage_error(o->cmd,
			    "--comm takes a glob, not \"%s\": close its bracket, or escape it",
			    o->arg);
	else if (err || !glob_fits_comm(&g))
		usage_error(o->cmd,
			    "--comm: the kernel cuts names to 15 bytes, so \"%s\" matches none: "
			    "cut it, too",
			    o->arg);
	else
		return 0;
	return -EINVAL;
}

static int set_cpus(struct record_options *r, const struct options *o)
{
	struct cpu_list list = {0};
	int err = cpu_list_parse(&list, o->arg);

	r->sampler.cpus = o->arg;
	cpu_list_release(&list);
	if (err)
		usage_error(o->cmd, "-C takes a list of CPUs such as 0-3,8, not \"%s\"", o->arg);
	return err;
}

static int set_max_memory(struct record_options *r, const struct options *o)
{
	int err = quantity_parse_size(o->arg, &r->max_memory);

	if (!err && r->max_memory >= MIN_MEMORY && r->max_memory <= SIZE_MAX / 4)
		return 0;
	usage_error(o->cmd, "--max-memory takes a size such as 256MiB, at least 1MiB, not \"%s\"",
		    o->arg);
	return -EINVAL;
}

static int set_format(struct record_options *r, const struct options *o)
{
	r->format = export_format_of(o->arg);
	if (r->format < 0)
		usage_error(o->cmd, "\"%s\" is not a known format; known formats: %s", o->arg,
			    export_suffixes());
	return r->format < 0 ? -EINVAL : 0;
}

/* Who runs kiln can have made the files that would be parsed. */
static int set_no_sandbox(struct record_options *r, const struct options *o)
{
	if (privileges_are_of_the_file()) {
		usage_error(o->cmd, "--no-sandbox: not with the capabilities of kiln's file");
		return -EINVAL;
	}
	r->no_sandbox = true;
	return 0;
}

static int handle_target(struct record_options *r, const struct options *o, int id)
{
	struct cgroup_arg c = {id, o->arg};

	switch (id) {
	case OPT_ALL:
		r->all = true;
		return 0;
	case OPT_PID:
		return add_pids(r, o->cmd, o->arg);
	case OPT_COMM:
		return set_comm(r, o);
	default:
		return vec_push(&r->cgroup_args, c);
	}
}

static int set_event(struct record_options *r, const struct options *o)
{
	int word = option_word(o, "-e", event_words + 1);

	if (word < 0)
		return word;
	r->sampler.event = events[word];
	return 0;
}

static int set_unwind(struct record_options *r, const struct options *o)
{
	int word = option_word(o, "--unwind", unwind_words + 1);

	if (word < 0)
		return word;
	r->sampler.unwind = unwind_modes[word];
	return 0;
}

/* "dwarf,8192": the size of perf's copies of stacks means nothing here. Tables are the default, where the
 * kernel can walk by them. */
static int set_call_graph(struct record_options *r, const struct options *o)
{
	struct options first = *o;
	char word[16];
	int which;

	snprintf(word, sizeof(word), "%.*s", (int)strcspn(o->arg, ","), o->arg);
	first.arg = word;
	which = option_word(&first, "--call-graph", CALL_GRAPH_WORDS);
	if (which < 0)
		return which;
	r->sampler.unwind = which ? MODE_AUTO : MODE_FP;
	return 0;
}

static int handle(struct record_options *r, const struct options *o, int id)
{
	switch (id) {
	case OPT_FREQ:
		return set_freq(r, o);
	case OPT_DURATION:
		return set_duration(r, o);
	case OPT_DELAY:
		return set_time(o, "--delay", &r->delay_ns);
	case OPT_WINDOW:
		return set_window(r, o);
	case OPT_EVENT:
		return set_event(r, o);
	case OPT_UNWIND:
		return set_unwind(r, o);
	case OPT_KERNEL:
		r->sampler.user = false;
		return 0;
	case OPT_USER:
		r->sampler.kernel = false;
		return 0;
	case OPT_CPU:
		return set_cpus(r, o);
	case OPT_LABEL:
		return add_label(r, o->cmd, o->arg);
	case OPT_OUTPUT:
		r->output = o->arg;
		return 0;
	case OPT_FORMAT:
		return set_format(r, o);
	case OPT_MAX_MEMORY:
		return set_max_memory(r, o);
	case OPT_NO_INLINE:
		r->names_only = true;
		return 0;
	case OPT_NO_SANDBOX:
		return set_no_sandbox(r, o);
	case OPT_DEBUGINFOD:
		r->debuginfod = true;
		r->debuginfod_urls = o->arg;
		return 0;
	case OPT_CALL_GRAPH:
		return set_call_graph(r, o);
	case OPT_STACKS: /* they are always taken */
		return 0;
	default:
		return handle_target(r, o, id);
	}
}

static int resolve_cgroup(struct record_options *r, struct cgroups *c, const struct cgroup_arg *arg)
{
	static const char *const kinds[] = {
		[OPT_CGROUP] = "cgroup", [OPT_UNIT] = "unit", [OPT_CONTAINER] = "container"};
	char *path = NULL;
	uint64_t id;
	int err;

	if (arg->kind == OPT_CGROUP)
		err = cgroups_by_path(c, arg->text, &path, &id);
	else if (arg->kind == OPT_UNIT)
		err = cgroups_by_unit(c, arg->text, &path, &id);
	else
		err = cgroups_by_container(c, arg->text, &path, &id);
	if (!err)
		return vec_push(&r->cgroup_paths, path);
	if (err == -ENOTUNIQ)
		log_error("several containers begin with \"%s\": give more digits", arg->text);
	else if (err == -EOPNOTSUPP)
		log_error("%s \"%s\" exists in cgroup v1 only; kiln filters by cgroup v2",
			  kinds[arg->kind], arg->text);
	else
		log_error("no %s \"%s\" here (looked below %s): %s", kinds[arg->kind], arg->text,
			  cgroups_mount(c), strerror(-err));
	return err;
}

/* EXIT_OK, or EXIT_NO_TARGET after an error on stderr. */
static int resolve_cgroups(struct record_options *r)
{
	struct cgroups *c = NULL;
	int err = r->cgroup_args.len ? cgroups_new(&c) : 0;

	if (err)
		log_error("no cgroup file system is mounted: %s", strerror(-err));
	for (size_t i = 0; i < r->cgroup_args.len && !err; i++)
		err = resolve_cgroup(r, c, &r->cgroup_args.data[i]);
	cgroups_free(c);
	if (!err && r->cgroup_paths.len) {
		err = vec_push(&r->cgroup_paths, NULL);
		r->sampler.cgroups = r->cgroup_paths.data;
	}
	return err ? EXIT_NO_TARGET : EXIT_OK;
}

/* Before anything is opened: what is not there is the cause, whatever else kiln may not do. */
static int check_pids(struct record_options *r)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->pids.len; i++) {
		pid_t pid = r->pids.data[i];

		if (!kill(pid, 0) || errno != ESRCH)
			r->pids.data[kept++] = pid;
		else if (kept || i + 1 < r->pids.len)
			log_warning("-p %d: no such process; left out", (int)pid);
		else
			log_error("-p %d: no such process", (int)pid);
	}
	if (r->pids.len && !kept)
		return EXIT_NO_TARGET;
	r->pids.len = kept;
	return EXIT_OK;
}

/* The output format, from -f or the suffix. -EINVAL after an error on stderr. */
static int choose_output(struct record_options *r, const struct command *cmd)
{
	bool to_stdout = r->output && !strcmp(r->output, "-");

	if (r->output && !*r->output) {
		usage_error(cmd, "-o: the name of the FILE is empty");
		return -EINVAL;
	}
	if (r->format < 0)
		r->format = !r->output || to_stdout ? EXPORT_PPROF_GZ : export_format_of(r->output);
	if (r->format < 0) {
		usage_error(cmd, "\"%s\" has no known suffix; known suffixes: %s (or give -f)",
			    r->output, export_suffixes());
		return -EINVAL;
	}
	if (to_stdout && export_is_binary((enum export_format)r->format) && isatty(STDOUT_FILENO)) {
		usage_error(cmd, "not writing a binary format to a terminal; give -o FILE");
		return -EINVAL;
	}
	return 0;
}

static uint64_t default_window_ns(uint64_t freq_hz)
{
	uint64_t most_ns = WINDOW_SAMPLES * 1000000000ull / freq_hz;

	return most_ns < DEFAULT_WINDOW_NS ? most_ns : DEFAULT_WINDOW_NS;
}

static int check(struct record_options *r, const struct command *cmd)
{
	bool targeted = r->pids.len || r->cgroup_args.len || r->sampler.comm_glob || r->argv;
	uint64_t number;

	if (r->all && (r->pids.len || r->cgroup_args.len || r->sampler.comm_glob))
		return usage_error(cmd,
				   "-a samples everything: drop it, or drop the other targets");
	if (r->argv && r->pids.len && !text_parse_u64(r->argv[0], INT32_MAX, &number))
		return usage_error(cmd, "separate process ids by commas: -p %d,%s,...",
				   r->pids.data[0], r->argv[0]);
	if (r->argv && r->pids.len)
		return usage_error(cmd, "give a command or -p, not both");
	if (r->argv && !*r->argv[0])
		return usage_error(cmd, "the name of the COMMAND is empty");
	if (!r->sampler.user && !r->sampler.kernel)
		return usage_error(cmd, "-K and -U exclude each other");
	if (!targeted && !r->duration_ns) /* nothing ends the recording */
		r->duration_ns = DEFAULT_ALL_NS;
	if (choose_output(r, cmd))
		return EXIT_USAGE;
	if (!r->sampler.window_ns)
		r->sampler.window_ns = default_window_ns(r->sampler.freq_hz);
	if (vec_push(&r->labels, NULL))
		return EXIT_ERROR;
	return check_pids(r) ?: resolve_cgroups(r);
}

int record_options_parse(struct record_options *r, const struct command *cmd, int argc, char **argv)
{
	struct options o = {.cmd = cmd, .argc = argc, .argv = argv, .stop_at_operand = 1};
	int id, n;

	r->sampler = (struct sampler_opts){.freq_hz = DEFAULT_HZ, .user = true, .kernel = true};
	r->max_memory = DEFAULT_MEMORY;
	r->format = -1;
	do
		id = options_next(&o);
	while (id >= 0 && !handle(r, &o, id));
	if (id == OPTIONS_END) {
		r->argv = options_operands(&o, &n);
		if (!n)
			r->argv = NULL;
		r->color = o.color;
	}
	options_release(&o);
	if (id == OPTIONS_HELP)
		return -1;
	/* Otherwise the error was reported. */
	return id == OPTIONS_END ? check(r, cmd) : EXIT_USAGE;
}

void record_options_release(struct record_options *r)
{
	for (size_t i = 0; i < r->cgroup_paths.len; i++)
		free(r->cgroup_paths.data[i]);
	vec_release(&r->cgroup_paths);
	vec_release(&r->pids);
	vec_release(&r->labels);
	vec_release(&r->cgroup_args);
}
