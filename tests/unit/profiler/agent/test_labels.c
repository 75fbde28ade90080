// SPDX-License-Identifier: GPL-2.0-or-later
/* What samples are found by: service names in their order, pods and containers, rules, and whose samples go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "profiler/agent/config.h"
#include "profiler/agent/labels.h"
#include "profiler/profile/profile.h"
#include "profiler/profile/quality.h"

#define ID	"4f1c6bd5ab0c7d5c34c8b5ee6a3f1d2e9b8a7c6d5e4f3a2b1c0d9e8f7a6b5c4d"
#define POD_UID "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9"
#define GONE	(1 << 30) /* no process has this number */

static char root[64];

static int make_root(void **state)
{
	char command[512];

	(void)state;
	strcpy(root, "/tmp/kiln-labels-XXXXXX");
	if (!mkdtemp(root))
		return -1;
	snprintf(command, sizeof(command), "mkdir -p %s/var/log/pods/shop_web-0_" POD_UID "/nginx",
		 root);
	return system(command);
}

static int remove_root(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", root);
	return system(command);
}

/* A sample of a process, as the collector labels it. */
static void add(struct profile *p, int64_t pid, const char *cgroup, const char *unit,
		const char *exe, int64_t count)
{
	const char *texts[][2] = {{LABEL_COMM, "c"},
				  {LABEL_CGROUP, cgroup},
				  {LABEL_UNIT, unit},
				  {LABEL_EXECUTABLE, exe}};
	struct profile_label labels[8] = {{.str = PROFILE_NONE, .num = pid}};
	int64_t values[2] = {count, count * 1000};
	uint32_t location, stack, set;
	size_t n = 1;

	assert_int_equal(profile_string(p, LABEL_PID, &labels[0].key), 0);
	assert_int_equal(profile_string(p, "", &labels[0].num_unit), 0);
	for (size_t i = 0; i < 4; i++) {
		if (!texts[i][1])
			continue;
		assert_int_equal(profile_string(p, texts[i][0], &labels[n].key), 0);
		assert_int_equal(profile_string(p, texts[i][1], &labels[n].str), 0);
		labels[n++].num_unit = labels[0].num_unit;
	}
	assert_int_equal(profile_plain_location(p, MAPPING_KERNEL, "f", &location), 0);
	assert_int_equal(profile_stack(p, &location, 1, &stack), 0);
	assert_int_equal(profile_labelset(p, pid ? labels : NULL, pid ? n : 0, &set), 0);
	assert_int_equal(profile_add(p, stack, set, values), 0);
}

static struct profile *new_profile(void)
{
	struct profile *p = profile_new();

	assert_non_null(p);
	assert_int_equal(profile_init_cpu(p, 1000), 0);
	return p;
}

static void apply(struct profile *p, struct quality *q, const char *config, const pid_t *own,
		  size_t n)
{
	struct config_errors errs = {0};
	struct config *c;
	struct labels *l;

	if (config_parse(&c, "k", config, strlen(config), &errs))
		fail_msg("%s", buf_cstr(&errs.text));
	assert_int_equal(labels_new(&l, c, root), 0);
	assert_int_equal(labels_apply(l, p, q, own, n), 0);
	labels_free(l);
	config_free(c);
}

/* The text of a sample's label, "" if it has none. */
static const char *label(const struct profile *p, size_t sample, const char *key)
{
	const struct profile_label *l =
		profile_find_label(p, p->samples.data[sample].labelset, key);

	return l ? profile_text(p, l->str) : "";
}

static void service_names_in_their_order(void **state)
{
	static const struct {
		const char *cgroup, *unit, *exe, *service;
	} cases[] = {
		{"/kubepods/pod" POD_UID "/" ID, NULL, "/usr/sbin/nginx", "nginx"},
		{"/kubepods/pod" POD_UID, NULL, "/pause", "web-0"},
		{"/system.slice/docker-" ID ".scope", NULL, "/usr/bin/redis", "redis"},
		{"/system.slice/ssh.service", "ssh.service", "/usr/sbin/sshd", "ssh.service"},
		{"/user.slice/user-1.slice/session-3.scope", "session-3.scope", "/bin/bash",
		 "bash"},
		{"/user.slice/user-1.slice/user@1.service/x", "user@1.service", "/bin/zsh", "zsh"},
		{"/user.slice/user-1.slice/user@1.service/app.slice/a.service", "a.service", "/x",
		 "a.service"},
		{NULL, NULL, "/opt/app/server", "server"},
		{NULL, NULL, "relative", "relative"},
		{NULL, NULL, NULL, "kernel"},
	};
	struct profile *p = new_profile();
	struct quality q = {.recorded = 100};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		add(p, GONE + (int64_t)i, cases[i].cgroup, cases[i].unit, cases[i].exe, 1);
	apply(p, &q, "", NULL, 0);
	assert_int_equal(p->samples.len, sizeof(cases) / sizeof(*cases));
	for (size_t i = 0; i < p->samples.len; i++)
		assert_string_equal(label(p, i, LABEL_SERVICE), cases[i].service);
	assert_string_equal(label(p, 0, LABEL_POD_UID), POD_UID);
	assert_string_equal(label(p, 0, LABEL_POD), "web-0");
	assert_string_equal(label(p, 0, LABEL_NAMESPACE), "shop");
	assert_string_equal(label(p, 0, LABEL_CONTAINER), "4f1c6bd5ab0c");
	assert_int_equal(profile_find_label(p, p->samples.data[3].labelset, LABEL_PID)->num,
			 GONE + 3);
	assert_int_equal(q.recorded, 100);
	assert_int_equal(q.filtered, 0);
	profile_free(p);
}

/* A sample of a thread: what its process was started as, its file tells, or the process while it lives. */
static void add_thread(struct profile *p, int64_t pid, int64_t tid, const char *comm,
		       const char *exe)
{
	const char *texts[][2] = {{LABEL_COMM, comm}, {LABEL_EXECUTABLE, exe}};
	struct profile_label labels[4] = {{.num = pid}, {.num = tid}};
	uint32_t location, stack, set;

	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(profile_string(p, "", &labels[i].num_unit), 0);
		labels[i].str = PROFILE_NONE;
	}
	assert_int_equal(profile_string(p, LABEL_PID, &labels[0].key), 0);
	assert_int_equal(profile_string(p, LABEL_TID, &labels[1].key), 0);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(profile_string(p, texts[i][0], &labels[2 + i].key), 0);
		assert_int_equal(profile_string(p, texts[i][1], &labels[2 + i].str), 0);
	}
	assert_int_equal(profile_plain_location(p, MAPPING_KERNEL, "f", &location), 0);
	assert_int_equal(profile_stack(p, &location, 1, &stack), 0);
	assert_int_equal(profile_labelset(p, labels, 4, &set), 0);
	assert_int_equal(profile_add(p, stack, set, (int64_t[]){1, 1000}), 0);
}

static void make_links(void)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "cd %s && mkdir -p usr/bin opt && touch usr/bin/redis-check-rdb usr/bin/other "
		 "opt/tool-1.2 && ln -s redis-check-rdb usr/bin/redis-server && ln -s tool-1.2 "
		 "opt/tool && ln -s redis-check-rdb usr/bin/$(cat /proc/%d/comm)",
		 root, getpid());
	assert_int_equal(system(command), 0);
}

static void a_service_is_called_as_it_was_started(void **state)
{
	static const char redis[] = "/usr/bin/redis-check-rdb";
	const struct {
		int64_t pid, tid;
		const char *comm, *exe, *service; /* NULL: this program's own name */
	} cases[] = {
		{GONE, GONE, "redis-server", redis, "redis-server"},
		{GONE, GONE, "redis-check-rdb", redis, "redis-check-rdb"},
		{GONE, GONE, "renamed", redis, "redis-check-rdb"},
		{GONE, GONE, "other", redis, "redis-check-rdb"}, /* another file */
		{GONE, GONE, "../bin/redis-se", redis, "redis-check-rdb"},
		{GONE, GONE, "redis-server", "/usr/bin/gone", "gone"},
		{GONE, GONE, "tool", "/opt/tool-1.2", "tool-1.2"}, /* may be on a file server */
		{GONE, GONE + 1, "redis-server", redis, "redis-check-rdb"}, /* its thread's name */
		{getpid(), GONE, "bio_close_file", redis, NULL},
	};
	struct profile *p = new_profile();
	struct quality q = {.recorded = 100};
	char own[32];

	(void)state;
	make_links();
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		add_thread(p, cases[i].pid, cases[i].tid, cases[i].comm, cases[i].exe);
	apply(p, &q, "", NULL, 0);
	assert_int_equal(p->samples.len, sizeof(cases) / sizeof(*cases));
	prctl(PR_GET_NAME, own);
	for (size_t i = 0; i < p->samples.len; i++)
		assert_string_equal(label(p, i, LABEL_SERVICE), cases[i].service ?: own);
	profile_free(p);
}

static void rules_have_the_last_word(void **state)
{
	struct profile *p = new_profile();
	struct quality q = {.recorded = 100};

	(void)state;
	add(p, GONE, NULL, "nginx.service", "/usr/sbin/nginx", 1);
	apply(p, &q,
	      "relabel:\n"
	      "- {action: replace, source: service_name, regex: '(.*)[.]service', target: "
	      "service_name}\n"
	      "- {action: replace, target: comm, replacement: ''}\n",
	      NULL, 0);
	assert_string_equal(label(p, 0, LABEL_SERVICE), "nginx");
	assert_string_equal(label(p, 0, LABEL_COMM), "");
	assert_string_equal(label(p, 0, LABEL_UNIT), "nginx.service");
	profile_free(p);
}

/* What goes is counted, and losses stay whatever the rules say. */
static void what_is_dropped_is_counted(void **state)
{
	struct profile *p = new_profile();
	struct quality q = {.recorded = 60, .filtered = 5};
	pid_t own[] = {GONE + 7, GONE + 2};

	(void)state;
	add(p, GONE, NULL, "a.service", "/a", 10);
	add(p, GONE + 1, NULL, "b.service", "/b", 20);
	add(p, GONE + 2, NULL, "kiln.service", "/kiln", 30);
	add(p, 0, NULL, NULL, NULL, 7); /* lost samples */
	apply(p, &q, "relabel: [{action: keep, source: unit, regex: 'b.*|kiln.*'}]", own, 2);
	assert_int_equal(p->samples.len, 2);
	assert_string_equal(label(p, 0, LABEL_UNIT), "b.service");
	assert_int_equal(p->values.data[p->samples.data[0].first_value], 20);
	assert_int_equal(p->values.data[p->samples.data[0].first_value + 1], 20000);
	assert_int_equal(p->labelsets.data[p->samples.data[1].labelset].len, 0);
	assert_int_equal(p->values.data[p->samples.data[1].first_value], 7);
	assert_int_equal(q.recorded, 20);
	assert_int_equal(q.filtered, 45);
	profile_free(p);
}

/* Two that differ in what a rule takes away are one afterwards. */
static void equal_samples_become_one(void **state)
{
	struct profile *p = new_profile();
	struct quality q = {.recorded = 3};

	(void)state;
	add(p, GONE, NULL, "a.service", "/a", 1);
	add(p, GONE, NULL, "b.service", "/a", 2);
	apply(p, &q,
	      "relabel: [{action: replace, target: unit, replacement: ''}, {action: replace, "
	      "target: "
	      "service_name, replacement: s}]",
	      NULL, 0);
	assert_int_equal(p->samples.len, 1);
	assert_int_equal(p->values.data[p->samples.data[0].first_value], 3);
	profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(service_names_in_their_order),
		cmocka_unit_test(a_service_is_called_as_it_was_started),
		cmocka_unit_test(rules_have_the_last_word),
		cmocka_unit_test(what_is_dropped_is_counted),
		cmocka_unit_test(equal_samples_become_one),
	};

	return cmocka_run_group_tests_name("labels", tests, make_root, remove_root);
}
