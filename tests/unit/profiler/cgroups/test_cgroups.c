// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "profiler/cgroups/cgroup_mounts.h"
#include "profiler/cgroups/cgroup_names.h"
#include "profiler/cgroups/cgroups.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_path),
		cmocka_unit_test(test_unit_names),
		cmocka_unit_test(test_mounts),
		cmocka_unit_test(test_whole_mount_wins),
	};

	return cmocka_run_group_tests_name("cgroups", tests, NULL, NULL);
}
