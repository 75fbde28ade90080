// SPDX-License-Identifier: GPL-2.0-or-later
/* Real cgroups, made and removed below the hierarchy that is mounted here. Needs root. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "profiler/cgroups/cgroups.h"

#define ID_A "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define ID_B "00112233aa5566778899aabbccddeeff00112233445566778899aabbccddeeff"

/* Ours, so that the machine's own do not matter. Children come after their parents. */
static const char *const dirs[] = {
	"",
	"/system.slice",
	"/system.slice/kilntest-web.service",
	"/system.slice/kilntest-web.service/worker",
	"/system.slice/docker-" ID_A ".scope",
	"/system.slice/docker-" ID_A ".scope/" ID_A,
	"/kubepods",
	("/kubepods/" ID_B),
	"/user",
	"/user/deep",
	"/user/deep/kilntest-web.service",
};
#define N_DIRS (sizeof(dirs) / sizeof(dirs[0]))

static char top[512], top_name[64];
static struct cgroups *cg;

static const char *full(const char *below)
{
	static char path[1024];

	snprintf(path, sizeof(path), "%s%s", top, below);
	return path;
}

static int setup(void **state)
{
	(void)state;
	if (cgroups_new(&cg))
		return -1;
	snprintf(top_name, sizeof(top_name), "kilntest.%d", getpid());
	snprintf(top, sizeof(top), "%s/%s", cgroups_mount(cg), top_name);
	for (size_t i = 0; i < N_DIRS; i++)
		if (mkdir(full(dirs[i]), 0755)) {
			perror(full(dirs[i]));
			return -1;
		}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (size_t i = N_DIRS; i-- > 0;)
		rmdir(full(dirs[i]));
	cgroups_free(cg);
	return 0;
}

static uint64_t inode_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_ino;
}

static void check_found(int err, char *path, uint64_t id, const char *want)
{
	assert_int_equal(err, 0);
	assert_string_equal(path, want);
	assert_true(id == inode_of(want));
	free(path);
}

static void test_by_path(void **state)
{
	char *path = NULL, arg[1200];
	uint64_t id = 0;
	int err;

	(void)state;
	err = cgroups_by_path(cg, full("/system.slice"), &path, &id);
	check_found(err, path, id, full("/system.slice"));
	snprintf(arg, sizeof(arg), "%s/user/deep/", top_name);
	err = cgroups_by_path(cg, arg, &path, &id);
	check_found(err, path, id, full("/user/deep"));
	snprintf(arg, sizeof(arg), "/%s/user", top_name); /* as in /proc/PID/cgroup */
	err = cgroups_by_path(cg, arg, &path, &id);
	check_found(err, path, id, full("/user"));
	assert_int_equal(cgroups_by_path(cg, "no-such-cgroup", &path, &id), -ENOENT);
	assert_int_equal(cgroups_by_path(cg, "", &path, &id), -ENOENT);
	assert_int_equal(cgroups_by_path(cg, "../../../../etc", &path, &id), -ENOENT);
	assert_int_equal(cgroups_by_path(cg, "/etc", &path, &id), -ENOENT);
	assert_int_equal(cgroups_by_path(cg, "cgroup.procs", &path, &id), -ENOTDIR);
}

static void test_by_unit(void **state)
{
	char *path = NULL;
	uint64_t id = 0;
	int err;

	(void)state;
	/* the system's own comes before one deeper down, of a user */
	err = cgroups_by_unit(cg, "kilntest-web", &path, &id);
	check_found(err, path, id, full("/system.slice/kilntest-web.service"));
	err = cgroups_by_unit(cg, "kilntest-web.service", &path, &id);
	check_found(err, path, id, full("/system.slice/kilntest-web.service"));
	assert_int_equal(cgroups_by_unit(cg, "kilntest-none", &path, &id), -ENOENT);
	assert_int_equal(cgroups_by_unit(cg, "kilntest-web.socket", &path, &id), -ENOENT);
	assert_int_equal(cgroups_by_unit(cg, "", &path, &id), -ENOENT);
}

static void test_by_container(void **state)
{
	char *path = NULL;
	uint64_t id = 0;
	int err;

	(void)state;
	/* the nested directory of the same id is not another container */
	err = cgroups_by_container(cg, "001122334455", &path, &id);
	check_found(err, path, id, full("/system.slice/docker-" ID_A ".scope"));
	err = cgroups_by_container(cg, ID_B, &path, &id);
	check_found(err, path, id, full("/kubepods/" ID_B));
	err = cgroups_by_container(cg, "00112233AA", &path, &id);
	check_found(err, path, id, full("/kubepods/" ID_B));
	assert_int_equal(cgroups_by_container(cg, "001122", &path, &id), -ENOTUNIQ);
	assert_int_equal(cgroups_by_container(cg, "00112", &path, &id), -ENOENT);
	assert_int_equal(cgroups_by_container(cg, "fedcba98", &path, &id), -ENOENT);
}

static void test_names(void **state)
{
	uint64_t web = inode_of(full("/system.slice/kilntest-web.service/worker"));
	uint64_t docker = inode_of(full("/system.slice/docker-" ID_A ".scope"));
	struct cgroup_names n;
	char want[256];

	(void)state;
	assert_true(cgroups_names(cg, web, &n));
	snprintf(want, sizeof(want), "/%s/system.slice/kilntest-web.service/worker", top_name);
	assert_string_equal(n.path, want);
	assert_string_equal(n.unit, "kilntest-web.service");
	assert_string_equal(n.container, "");
	assert_true(cgroups_names(cg, docker, &n));
	assert_string_equal(n.unit, "");
	assert_string_equal(n.container, "001122334455");
	assert_true(cgroups_names(cg, inode_of(cgroups_mount(cg)), &n));
	assert_string_equal(n.path, "/");
	assert_false(cgroups_names(cg, UINT64_MAX, &n));
}

static void test_names_outlive_their_cgroup(void **state)
{
	struct cgroups *own;
	struct cgroup_names n;
	char path[1024];
	uint64_t id;

	(void)state;
	snprintf(path, sizeof(path), "%s/shortlived.service", top);
	assert_int_equal(mkdir(path, 0755), 0);
	id = inode_of(path);
	assert_int_equal(cgroups_new(&own), 0);
	assert_true(cgroups_names(own, id, &n));
	assert_int_equal(rmdir(path), 0);
	assert_false(cgroups_names(own, UINT64_MAX, &n)); /* asks for another walk */
	assert_true(cgroups_names(own, id, &n));
	assert_string_equal(n.unit, "shortlived.service");
	cgroups_free(own);
}

/* What is only in a v1 hierarchy has no id that a BPF program could see. */
static void test_v1_only(void **state)
{
	char path[256], *found = NULL;
	uint64_t id = 0;

	(void)state;
	snprintf(path, sizeof(path), "/sys/fs/cgroup/freezer/%s-v1.service", top_name);
	if (!cgroups_is_v2(cg) || mkdir(path, 0755)) {
		print_message("skipped: no v1 hierarchy beside v2 on this machine\n");
		skip();
	}
	assert_int_equal(cgroups_by_path(cg, path, &found, &id), -EOPNOTSUPP);
	assert_int_equal(cgroups_by_path(cg, strrchr(path, '/') + 1, &found, &id), -EOPNOTSUPP);
	assert_int_equal(cgroups_by_unit(cg, strrchr(path, '/') + 1, &found, &id), -EOPNOTSUPP);
	assert_int_equal(rmdir(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_path),
		cmocka_unit_test(test_by_unit),
		cmocka_unit_test(test_by_container),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_names_outlive_their_cgroup),
		cmocka_unit_test(test_v1_only),
	};

	if (geteuid()) {
		printf("skipped: making cgroups needs root\n");
		return 0;
	}
	return cmocka_run_group_tests_name("cgroups", tests, setup, teardown);
}
