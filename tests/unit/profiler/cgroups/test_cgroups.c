// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "profiler/cgroups/cgroup_mounts.h"
#include "profiler/cgroups/cgroup_names.h"
#include "profiler/cgroups/cgroups.h"
#include "profiler/cgroups/memory_limit.h"
#include "tests/lib/fixture.h"

#define ID  "4f1c6bd5ab0c7d5c34c8b5ee6a3f1d2e9b8a7c6d5e4f3a2b1c0d9e8f7a6b5c4d"
#define ID2 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void test_parse_path(void **state)
{
	static const struct {
		const char *path, *unit, *container;
	} cases[] = {
		{"/", "", ""},
		{"", "", ""},
		{"/system.slice/nginx.service", "nginx.service", ""},
		{"/system.slice/nginx.service/worker", "nginx.service", ""},
		{"/system.slice", "", ""},
		{"/init.scope", "init.scope", ""},
		{"/user.slice/user-1000.slice/session-3.scope", "session-3.scope", ""},
		{"/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service",
		 "foo.service", ""},
		{"/system.slice/docker-" ID ".scope", "", "4f1c6bd5ab0c"},
		{"/docker/" ID, "", "4f1c6bd5ab0c"},
		{"/docker/" ID "/system.slice/nginx.service", "nginx.service", "4f1c6bd5ab0c"},
		{"/docker/" ID "/docker/" ID2, "", "aaaaaaaaaaaa"},
		{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0a_1.slice/"
		 "cri-containerd-" ID ".scope",
		 "", "4f1c6bd5ab0c"},
		{"/kubepods/besteffort/pod12/" ID, "", "4f1c6bd5ab0c"},
		{"/kubepods.slice/crio-" ID ".scope/container", "", "4f1c6bd5ab0c"},
		{"/machine.slice/libpod-" ID ".scope", "", "4f1c6bd5ab0c"},
		/* the monitor beside a container is not in it */
		{"/machine.slice/libpod-conmon-" ID ".scope", "libpod-conmon-" ID ".scope", ""},
		{"/system.slice/x.slice:cri-containerd:" ID, "", "4f1c6bd5ab0c"},
		{"/system.slice/_odd.service", "odd.service", ""},
		{"/system.slice/.service", "", ""},
		{"//system.slice//a.service//", "a.service", ""},
		/* 63 digits, 65 digits, not hex */
		{"/docker/4f1c6bd5ab0c7d5c34c8b5ee6a3f1d2e9b8a7c6d5e4f3a2b1c0d9e8f7a6b5c4", "", ""},
		{"/docker/" ID "0", "", ""},
		{"/docker/zf1c6bd5ab0c7d5c34c8b5ee6a3f1d2e9b8a7c6d5e4f3a2b1c0d9e8f7a6b5c4d", "",
		 ""},
	};
	char unit[128], container[16], tiny[4];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cgroup_parse_path(cases[i].path, unit, sizeof(unit), container, sizeof(container));
		assert_string_equal(unit, cases[i].unit);
		assert_string_equal(container, cases[i].container);
	}
	cgroup_parse_path("/a/nginx.service", tiny, sizeof(tiny), container, sizeof(container));
	assert_string_equal(tiny, "ngi");
}

static void test_unit_names(void **state)
{
	(void)state;
	assert_true(cgroup_has_unit_suffix("a.service"));
	assert_true(cgroup_has_unit_suffix("user-0.slice"));
	assert_false(cgroup_has_unit_suffix("nginx"));
	assert_false(cgroup_has_unit_suffix("foo.bar"));
	assert_true(cgroup_is_unit("nginx.service", "nginx.service"));
	assert_true(cgroup_is_unit("_cgroup.x.service", "cgroup.x.service"));
	assert_true(cgroup_is_unit("_a.service", "_a.service"));
	assert_false(cgroup_is_unit("xnginx.service", "nginx.service"));
}

static const char V2[] =
	"22 28 0:21 / /sys rw,nosuid - sysfs sysfs rw\n"
	"30 22 0:26 / /sys/fs/cgroup rw,nosuid,nodev shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
static const char HYBRID[] =
	"31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
	"32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
	"40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
	"41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
	"42 31 0:38 /part /container/cgroup rw - cgroup2 cgroup2 rw\n";
static const char V1[] = "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
			 "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
			 "33 31 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
static const char V1_PLAIN[] = "32 31 0:29 / /a\\040b\\134c rw - cgroup cgroup rw,cpu\n"
			       "33 31 0:30 / /second rw - cgroup cgroup rw,noname=systemd,x\n";

static void check_mounts(const char *text, const char *main_point, bool v2, size_t others)
{
	struct cgroup_mounts m;

	assert_int_equal(cgroup_mounts_parse(&m, text), 0);
	assert_string_equal(m.main, main_point);
	assert_int_equal(m.v2, v2);
	assert_int_equal(m.others.len, others);
	cgroup_mounts_release(&m);
}

static void test_mounts(void **state)
{
	struct cgroup_mounts m;

	(void)state;
	check_mounts(V2, "/sys/fs/cgroup", true, 0);
	check_mounts(HYBRID, "/sys/fs/cgroup/unified", true, 2);
	check_mounts(V1, "/sys/fs/cgroup/systemd", false, 2);
	check_mounts(V1_PLAIN, "/a b\\c", false, 1);
	assert_int_equal(cgroup_mounts_parse(&m, ""), -ENOENT);
	assert_int_equal(cgroup_mounts_parse(&m, "32 31 0:29 / /x rw - tmpfs cgroup rw"), -ENOENT);
	/* mangled lines: nothing but the fields that are there is read */
	assert_int_equal(cgroup_mounts_parse(&m, "a - cgroup2\n - cgroup2\n\n1 2 3 4 - cgroup2"),
			 -ENOENT);
	check_mounts("1 2 3 4 /x - cgroup2", "/x", true, 0);
}

static void check_memory(const char *mounts, const char *cgroup, const char *expected, size_t top)
{
	size_t point = 0;
	char *dir = cgroup_mounts_memory(mounts, cgroup, &point);

	if (!expected) {
		assert_null(dir);
		return;
	}
	assert_non_null(dir);
	assert_string_equal(dir, expected);
	assert_int_equal(point, top);
	free(dir);
}

static void test_memory_directory(void **state)
{
	static const char bound[] =
		"1 2 0:3 /docker/x /sys/fs/cgroup/memory rw - cgroup c rw,memory\n";

	(void)state;
	check_memory(V1, "9:name=systemd:/\n4:cpu,memory:/a/b c\n0::/\n",
		     "/sys/fs/cgroup/memory/a/b c", 21);
	check_memory(V1, "4:memory:/\n", "/sys/fs/cgroup/memory", 21);
	check_memory(V2, "0::/user.slice/x\n", "/sys/fs/cgroup/user.slice/x", 14);
	check_memory(HYBRID, "4:memory:/a\n0::/b\n", "/sys/fs/cgroup/unified/b", 22);
	/* What a container sees of it. */
	check_memory(bound, "4:memory:/docker/x/y\n", "/sys/fs/cgroup/memory/y", 21);
	check_memory(bound, "4:memory:/docker/x\n", "/sys/fs/cgroup/memory", 21);
	check_memory(bound, "4:memory:/docker/xy\n", "/sys/fs/cgroup/memory", 21);
	check_memory(V2, "0::/../../y\n", "/sys/fs/cgroup", 14);
	check_memory(V1, "4:cpu:/\n", NULL, 0);
	check_memory(V1, "", NULL, 0);
	check_memory(V1, "4:memory\n:\n::\n\n", NULL, 0);
	check_memory("", "4:memory:/\n0::/\n", NULL, 0);
}

/* The least of a cgroup and those above it, in either version's files. */
static void test_memory_limit(void **state)
{
	(void)state;
	fixture_run("mkdir -p m/a/b m/a/c");
	fixture_write("m/memory.limit_in_bytes", "9223372036854771712\n");
	assert_true(memory_limit_of("m", 1) > UINT64_MAX / 4);
	fixture_write("m/a/memory.limit_in_bytes", "31457280\n");
	fixture_write("m/a/b/memory.max", "max\n");
	fixture_write("m/a/c/memory.max", "1048576\n");
	assert_int_equal(memory_limit_of("m/a/b", 1), 31457280);
	assert_int_equal(memory_limit_of("m/a/c", 1), 1048576);
	assert_int_equal(memory_limit_of("m/a/c", 5), 1048576);
	assert_int_equal(memory_limit_of("m/a", 3), 31457280);
	assert_true(memory_limit_of("m", 1) > UINT64_MAX / 4);
	fixture_write("m/a/memory.limit_in_bytes", "x1\n");
	assert_int_equal(memory_limit_of("nowhere", 7), UINT64_MAX);
	assert_true(memory_limit_of("m/a/b", 1) > UINT64_MAX / 4);
}

/* A part bound into a container must not win over the whole, in whichever order they come. */
static void test_whole_mount_wins(void **state)
{
	(void)state;
	check_mounts("42 31 0:38 /part /c rw - cgroup2 cgroup2 rw\n"
		     "41 31 0:38 / /whole rw - cgroup2 cgroup2 rw\n",
		     "/whole", true, 0);
	check_mounts("41 31 0:38 / /whole rw - cgroup2 cgroup2 rw\n"
		     "42 31 0:38 /part /c rw - cgroup2 cgroup2 rw\n",
		     "/whole", true, 0);
}

/* --- directories that stand for a hierarchy --------------------------------------------------- */

static struct cgroups *open_tree(struct cgroups_opts opts)
{
	struct cgroups *c;

	opts.mount = fixture_at("tree");
	opts.walk_every_ns = 1;
	opts.walk_ppm = opts.walk_ppm ?: 1000000;
	assert_int_equal(cgroups_new_with(&c, &opts), 0);
	return c;
}

static struct cgroups_stats stats_of(const struct cgroups *c)
{
	struct cgroups_stats s;

	cgroups_stats(c, &s);
	return s;
}

static uint64_t id_of(struct cgroups *c, const char *below)
{
	char *path = NULL;
	uint64_t id = 0;

	assert_int_equal(cgroups_by_path(c, below, &path, &id), 0);
	free(path);
	return id;
}

static void make_dirs(const char *prefix, int n)
{
	char path[600];

	mkdir("tree", 0755);
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "tree/%s%d", prefix, i);
		assert_int_equal(mkdir(path, 0755), 0);
	}
}

/* Out of the tree only: ids of cgroups do not come back, those of directories do. */
static void remove_dirs(const char *prefix, int n)
{
	char path[600], away[600];

	mkdir("away", 0755);
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "tree/%s%d", prefix, i);
		snprintf(away, sizeof(away), "away/%s%d", prefix, i);
		assert_int_equal(rename(path, away), 0);
	}
}

/* A service and its runs, one after the other for months: none of these stays for ever. */
static void test_run_without_end(void **state)
{
	struct cgroup_names n;
	struct cgroups *c;
	uint64_t web;

	(void)state;
	make_dirs("web.service", 1);
	c = open_tree((struct cgroups_opts){.max_known = 64, .keep_ns = 1});
	web = id_of(c, "web.service0");
	for (int i = 0; i < 500; i++) {
		char name[32];
		uint64_t id;

		snprintf(name, sizeof(name), "run-%d-", i);
		make_dirs(name, 4);
		strcat(name, "2");
		id = id_of(c, name);
		assert_true(cgroups_names(c, id, &n));
		assert_string_equal(n.path + 1, name);
		name[strlen(name) - 1] = '\0';
		remove_dirs(name, 4);
		assert_true(cgroups_names(c, web, &n));
		assert_string_equal(n.path, "/web.service0");
		assert_in_range(stats_of(c).known, 1, 64);
	}
	assert_int_equal(stats_of(c).refused, 0);
	remove_dirs("web.service", 1);
	cgroups_free(c);
}

/* What is asked for stays for a while, whatever else there is; past the bound it is refused. */
static void test_too_many(void **state)
{
	struct cgroups *c = open_tree((struct cgroups_opts){.max_known = 40});
	struct cgroup_names n;
	uint64_t ids[60];
	char name[32];
	int n_known = 0;

	(void)state;
	make_dirs("x", 60);
	for (int i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "x%d", i);
		ids[i] = id_of(c, name);
		n_known += cgroups_names(c, ids[i], &n);
		assert_in_range(stats_of(c).known, 1, 40);
	}
	assert_int_equal(n_known, 40);
	assert_int_equal(stats_of(c).refused, 20);
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "/x%d", i);
		assert_true(cgroups_names(c, ids[i], &n));
		assert_string_equal(n.path, name);
	}
	cgroups_free(c);
	/* in bytes */
	c = open_tree((struct cgroups_opts){.max_bytes = 2000});
	n_known = 0;
	for (int i = 0; i < 60; i++) {
		n_known += cgroups_names(c, ids[i], &n);
		assert_in_range(stats_of(c).bytes, 1, 2100);
	}
	assert_in_range(n_known, 20, 59);
	assert_int_equal(stats_of(c).refused, 60 - n_known);
	cgroups_free(c);
	/* more directories than are looked at */
	c = open_tree((struct cgroups_opts){.max_dirs = 50});
	n_known = 0;
	for (int i = 0; i < 60; i++)
		n_known += cgroups_names(c, ids[i], &n);
	assert_int_equal(n_known, 49);
	assert_in_range(stats_of(c).cut, 11, 12); /* by the first one or not */
	cgroups_free(c);
	remove_dirs("x", 60);
}

/* However many there are, walks take a share of the time alone. */
static void test_walks_are_paced(void **state)
{
	struct cgroups *c = open_tree((struct cgroups_opts){.walk_ppm = 1});
	struct cgroup_names n;
	uint64_t first, second;

	(void)state;
	make_dirs("p", 2);
	first = id_of(c, "p0");
	second = id_of(c, "p1");
	remove_dirs("p", 2);
	make_dirs("q", 60);
	assert_true(cgroups_names(c, id_of(c, "q7"), &n));
	rename("away/p0", "tree/p0");
	rename("away/p1", "tree/p1");
	assert_false(cgroups_names(c, first, &n)); /* a million times as long as the walk took */
	cgroups_free(c);
	c = open_tree((struct cgroups_opts){0});
	assert_true(cgroups_names(c, second, &n));
	cgroups_free(c);
	remove_dirs("p", 2);
	remove_dirs("q", 60);
}

/* --- the kernel's ----------------------------------------------------------------------------- */

/* Deeper than any walk goes. */
static void test_the_kernel_finds_them_by_id(void **state)
{
	char dir[300], inner[310];
	struct cgroup_names n;
	struct cgroups *c, *walker;
	struct stat st;
	bool known;

	(void)state;
	if (geteuid() || cgroups_new(&walker))
		skip();
	snprintf(dir, sizeof(dir), "%s/kiln-unit-%d", cgroups_mount(walker), getpid());
	snprintf(inner, sizeof(inner), "%s/a.service", dir);
	cgroups_free(walker);
	if (mkdir(dir, 0755) || mkdir(inner, 0755) || stat(inner, &st))
		skip();
	assert_int_equal(cgroups_new_with(&c, &(struct cgroups_opts){.max_dirs = 1}), 0);
	known = cgroups_names(c, st.st_ino, &n);
	rmdir(inner);
	rmdir(dir);
	assert_true(known);
	assert_string_equal(n.path, inner + strlen(cgroups_mount(c)));
	assert_string_equal(n.unit, "a.service");
	assert_true(cgroups_names(c, st.st_ino, &n)); /* it is gone, and known */
	assert_int_equal(stats_of(c).cut, 0);
	cgroups_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_path),
		cmocka_unit_test(test_unit_names),
		cmocka_unit_test(test_mounts),
		cmocka_unit_test(test_whole_mount_wins),
		cmocka_unit_test(test_memory_directory),
		cmocka_unit_test(test_memory_limit),
		cmocka_unit_test(test_run_without_end),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_walks_are_paced),
		cmocka_unit_test(test_the_kernel_finds_them_by_id),
	};

	return cmocka_run_group_tests_name("cgroups", tests, fixture_setup, fixture_teardown);
}
