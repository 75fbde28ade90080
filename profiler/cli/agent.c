// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profiler/agent/config.h"
#include "profiler/agent/host_share.h"
#include "profiler/agent/roles.h"
#include "profiler/agent/supervisor.h"
#include "profiler/agent/upload_role.h"
#include "profiler/base/buf.h"
#include "profiler/base/log.h"
#include "profiler/base/suggest.h"
#include "profiler/base/vec.h"
#include "profiler/cgroups/memory_limit.h"
#include "profiler/cli/command.h"

enum {
	OPT_CONFIG,
	OPT_CHECK,
	OPT_CHECK_UPLOAD,
	OPT_PRINT,
	OPT_SET,
	OPT_KEY, /* this and above: the key of --freq and so on */
};

#define KEY_OPTION(member) (OPT_KEY + CONFIG_KEY_##member)

static const struct option_spec options[] = {
	{"config", 'c', "FILE", "the configuration (/etc/kiln/kiln.yaml); conf.d/*.yaml beside it",
	 OPT_CONFIG},
	{"freq", 'F', "HZ", "samples a second on each CPU (19)", KEY_OPTION(frequency_hz)},
	{"window", 0, "TIME", "time that one stored profile covers (10s)", KEY_OPTION(window_ns)},
	{"store", 0, "DIR", "directory of the profiles (/var/lib/kiln)", KEY_OPTION(store_path)},
	{"listen", 0, "ADDRESS", "where to answer HTTP (127.0.0.1:7676), or off",
	 KEY_OPTION(http_listen)},
	{"cpu-limit", 0, "SHARE", "CPU it may use, of one CPU for every two (1%)",
	 KEY_OPTION(cpu_ppm)},
	{"log-level", 0, CONFIG_LEVEL_WORDS, "the least of what is said (info)",
	 KEY_OPTION(log_level)},
	{"log-format", 0, CONFIG_FORMAT_WORDS, "how it is written (logfmt)",
	 KEY_OPTION(log_format)},
	{"set", 0, "KEY=VALUE", "any other key of the configuration; may be repeated", OPT_SET},
	{"check-config", 0, NULL, "say whether the configuration is right, and end", OPT_CHECK},
	{"check-upload", 0, NULL,
	 "send each destination a tiny profile, say what it answers, and end", OPT_CHECK_UPLOAD},
	{"print-config", 0, NULL, "print the configuration as it would be used, and end",
	 OPT_PRINT},
	{0},
};

struct agent_args {
	struct config_inputs inputs;
	VEC(struct config_override) overrides;
	VEC(char *) texts; /* owned: names of flags, for messages, and a path */
	bool check, print, check_upload;
};

static void args_release(struct agent_args *a)
{
	for (size_t i = 0; i < a->texts.len; i++)
		free(a->texts.data[i]);
	vec_release(&a->texts);
	vec_release(&a->overrides);
}

/* Keeps a text; NULL is out of memory. */
static int keep(struct agent_args *a, char *text)
{
	if (text && !vec_push(&a->texts, text))
		return 0;
	free(text);
	return -ENOMEM;
}

/* Whoever types a directory means it from where he is; a file with it may be read from anywhere. */
static int make_absolute(struct agent_args *a, const char **path)
{
	char here[PATH_MAX], *whole;

	if (!**path || **path == '/' || !getcwd(here, sizeof(here)))
		return 0;
	if (asprintf(&whole, "%s/%s", here, *path) < 0)
		return -ENOMEM;
	*path = whole;
	return keep(a, whole);
}

static int add_override(struct agent_args *a, const char *flag, int key, const char *value)
{
	struct config_override o = {.key = (enum config_key_id)key, .value = value};
	char *name = strdup(flag);
	int err = keep(a, name);

	o.flag = name;
	if (!err && key == CONFIG_KEY_store_path)
		err = make_absolute(a, &o.value);
	return err ?: vec_push(&a->overrides, o);
}

/* "--set KEY=VALUE". */
static int add_set(struct agent_args *a, const struct options *o)
{
	size_t len = strcspn(o->arg, "=");
	char key[64], flag[80];
	struct suggest near = {.typed = key};

	snprintf(key, sizeof(key), "%.*s", (int)len, o->arg);
	snprintf(flag, sizeof(flag), "--set %s", key);
	for (size_t i = 0; i < config_schema.n && o->arg[len]; i++) {
		if (!strcmp(config_schema.keys[i].name, key))
			return add_override(a, flag, (int)i, o->arg + len + 1);
		suggest_consider(&near, config_schema.keys[i].name);
	}
	if (!o->arg[len])
		usage_error(o->cmd, "--set wants KEY=VALUE, not \"%s\"", o->arg);
	else if (near.best)
		usage_error(o->cmd, "--set: unknown key \"%s\" (did you mean \"%s\"?)", key,
			    near.best);
	else
		usage_error(o->cmd, "--set: unknown key \"%s\"; --print-config shows them", key);
	return -EINVAL;
}

static int take_option(struct agent_args *a, const struct options *o, int id)
{
	char flag[32];

	switch (id) {
	case OPT_CONFIG:
		a->inputs.path = o->arg;
		return 0;
	case OPT_CHECK:
		a->check = true;
		return 0;
	case OPT_CHECK_UPLOAD:
		a->check_upload = true;
		return 0;
	case OPT_PRINT:
		a->print = true;
		return 0;
	case OPT_SET:
		return add_set(a, o);
	default:
		for (const struct option_spec *s = options; s->name; s++)
			if (s->id == id)
				snprintf(flag, sizeof(flag), "--%s", s->name);
		return add_override(a, flag, id - OPT_KEY, o->arg);
	}
}

/* Mistakes are all the output: a line each, as compilers have it. */
static int load(struct config **out, const struct config_inputs *in)
{
	struct config_errors errs = {0};
	int err = config_load(out, in, &errs);

	if (err == -ENOMEM)
		log_error("out of memory");
	else if (err)
		fputs(buf_cstr(&errs.text), stderr);
	buf_release(&errs.text);
	return err;
}

/* The same while the agent runs: its log has its own form. */
static int load_again(void *ctx, struct config **out)
{
	const struct config_inputs *in = ctx;
	struct config_errors errs = {0};
	int err = config_load(out, in, &errs);
	char *rest = errs.text.len ? errs.text.data : NULL, *line;

	buf_cstr(&errs.text);
	while (err && rest && (line = strsep(&rest, "\n")) && *line)
		log_error("%s", line);
	buf_release(&errs.text);
	return err;
}

static void print_config(const struct config *c)
{
	struct buf out = {0}, share = {0};

	config_print(&out, c, false);
	host_share_say(&share, c);
	if (share.len)
		buf_printf(&out, "# %s\n", buf_cstr(&share));
	buf_release(&share);
	fwrite(out.data, 1, out.len, stdout);
	buf_release(&out);
}

/* One line a destination. Exit status 0: all took it. */
static int check_uploads(const struct config *c)
{
	size_t taken = 0;

	if (!c->upload.len)
		fputs("kiln: no destination is configured: upload\n", stderr);
	for (size_t i = 0; i < c->upload.len; i++) {
		struct why why = {""};
		int err = upload_role_check(&c->upload.data[i], c->frequency_hz, &why);

		printf("%s: %s\n", c->upload.data[i].name, why.text);
		fflush(stdout);
		taken += !err;
	}
	return taken && taken == c->upload.len ? EXIT_OK : EXIT_ERROR;
}

static void warn(const struct config *c)
{
	struct buf stray = {0}, doubts = {0};

	config_stray_variables(&stray, environ);
	config_warn(&doubts, c);
	if (stray.len)
		log_warning("%s", buf_cstr(&stray));
	if (doubts.len)
		log_warning("%s", buf_cstr(&doubts));
	buf_release(&stray);
	buf_release(&doubts);
}

static int run_agent(struct agent_args *a)
{
	struct supervisor_opts opts = {.load = load_again, .load_ctx = &a->inputs};
	struct config *c = NULL;
	int err = load(&c, &a->inputs), code = EXIT_OK;

	if (err)
		return err == -EBADMSG ? EXIT_USAGE : EXIT_ERROR;
	warn(c);
	if (!a->print && !a->check && !a->check_upload) {
		memory_limit_warn();
		err = supervise(c, &opts);
		return !err				 ? EXIT_OK
		       : err == -EPERM || err == -EACCES ? EXIT_NOT_PERMITTED
							 : EXIT_ERROR;
	}
	if (a->check)
		err = roles_check(c, geteuid() != 0);
	if (a->print)
		print_config(c);
	else if (a->check_upload)
		code = check_uploads(c);
	else if (err)
		code = EXIT_USAGE;
	else
		printf("the configuration is right: %zu file%s\n", c->n_files,
		       c->n_files == 1 ? "" : "s");
	config_free(c);
	return code;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct options o = {.cmd = self, .argc = argc, .argv = argv};
	struct agent_args a = {.inputs.env = environ};
	int id, n = 0, code = EXIT_USAGE, err = 0;

	while (!err && (id = options_next(&o)) >= 0)
		err = take_option(&a, &o, id);
	if (!err && id == OPTIONS_END)
		options_operands(&o, &n);
	a.inputs.overrides = a.overrides.data;
	a.inputs.n_overrides = a.overrides.len;
	if (err == -ENOMEM)
		code = EXIT_ERROR;
	else if (err)
		code = EXIT_USAGE;
	else if (id != OPTIONS_END)
		code = options_exit_code(id);
	else if (n)
		code = usage_error(self, "takes no operand");
	else
		code = run_agent(&a);
	args_release(&a);
	options_release(&o);
	return code;
}

const struct command command_agent = {
	.name = "agent",
	.summary = "profile the whole machine all the time, into a bounded store",
	.synopsis = "[-c FILE] [options]",
	.examples =
		"  sudo kiln agent                         19 samples a second, for ever\n"
		"  sudo kiln agent --store /tmp/k -F 49    somewhere else, more often\n"
		"  kiln agent --check-config -c kiln.yaml  what is wrong with a configuration\n"
		"  kiln agent --print-config               what would be used, and from where\n",
	.options = options,
	.run = run,
};
