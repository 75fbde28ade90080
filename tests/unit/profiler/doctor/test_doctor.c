// SPDX-License-Identifier: GPL-2.0-or-later
/* What the doctor concludes from texts; what it finds by doing is tested in tests/e2e/test_cli.sh. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "profiler/doctor/caps.h"
#include "profiler/doctor/doctor.h"
#include "profiler/base/kernel.h"

#define COUNT(a)   (sizeof(a) / sizeof(*(a)))
#define TEST(name) static void name(void **state __attribute__((unused)))

TEST(test_kernel_versions)
{
	static const struct {
		const char *release, *version, *signature;
		struct kernel_version want;
	} rows[] = {
		{"6.18.44-fc-v657", "#1 SMP PREEMPT_DYNAMIC @0", NULL, {6, 18, 44}},
		{"6.1.0-18-amd64",
		 "#1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1 (2024-02-01)",
		 NULL,
		 {6, 1, 76}},
		{"6.2.0-39-generic",
		 "#40~22.04.1-Ubuntu SMP PREEMPT_DYNAMIC",
		 "Ubuntu 6.2.0-39.40~22.04.1-generic 6.2.16",
		 {6, 2, 16}},
		{"5.10.0", "", NULL, {5, 10, 0}},
		{"5.15-rc1+", "", NULL, {5, 15, 0}},
		{"6.1.0-9-amd64", "Debian but no number", "nonsense", {6, 1, 0}},
	};
	struct kernel_version v = {9, 9, 9};

	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(kernel_version_parse(&v, rows[i].release, rows[i].version,
						      rows[i].signature),
				 0);
		assert_int_equal(v.major, rows[i].want.major);
		assert_int_equal(v.minor, rows[i].want.minor);
		assert_int_equal(v.patch, rows[i].want.patch);
	}
	assert_int_equal(kernel_version_parse(&v, "next", "", NULL), -EINVAL);
	assert_int_equal(kernel_version_get(&v), 0);
	assert_true(v.major >= 4);
}

TEST(test_lockup_range)
{
	static const struct {
		struct kernel_version v;
		bool can;
	} rows[] = {
		{{5, 10, 200}, false}, {{5, 18, 19}, false}, {{5, 19, 0}, true},
		{{6, 0, 19}, true},    {{6, 1, 0}, true},    {{6, 1, 35}, true},
		{{6, 1, 36}, false},   {{6, 2, 0}, true},    {{6, 2, 16}, true},
		{{6, 3, 0}, true},     {{6, 3, 9}, true},    {{6, 3, 10}, false},
		{{6, 4, 0}, false},    {{6, 18, 2}, false},  {{7, 0, 0}, false},
		{{4, 19, 300}, false},
	};

	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(kernel_walk_can_lock_up(&rows[i].v), rows[i].can);
	assert_true(kernel_at_least(&(struct kernel_version){6, 0, 0}, 5, 11));
	assert_true(kernel_at_least(&(struct kernel_version){5, 11, 0}, 5, 11));
	assert_false(kernel_at_least(&(struct kernel_version){5, 10, 99}, 5, 11));
}

#define INITIAL_MAP "         0          0 4294967295\n"
#define STATUS(eff, bnd, seccomp)                                                                  \
	"Name:\tkiln\nCapPrm:\tffffffffffffffff\nCapEff:\t" eff "\nCapBnd:\t" bnd                  \
	"\nSeccomp:\t" seccomp "\nSeccomp_filters:\t2\n"
#define ALL  "000001ffffffffff"
#define NONE "0000000000000000"
/* without perfmon (38) and checkpoint_restore (40) */
#define SOME "000000bfffffffff"

static void assert_cure(const char *status, const char *map, bool root, uint64_t wanted,
			const char *want)
{
	struct buf b = {0};
	struct caps c;

	caps_parse(&c, status, map);
	c.root = root;
	caps_cure(&c, wanted, "/bin/kiln", &b);
	assert_string_equal(buf_cstr(&b), want);
	buf_release(&b);
}

TEST(test_cures)
{
	assert_cure(STATUS(NONE, ALL, "0"), INITIAL_MAP, false, CAP_MASK(bpf),
		    "run kiln as root, or once, as root, for the members of a group, who log in "
		    "again and run "
		    "/usr/local/bin/kiln-all:\ngroupadd -f kiln-users"
		    "\nusermod -aG kiln-users USER"
		    "\ninstall -o root -g kiln-users -m 0750 /bin/kiln /usr/local/bin/kiln-all"
		    "\nsetcap " CAPS_SETCAP " /usr/local/bin/kiln-all");
	assert_cure(
		STATUS(SOME, SOME, "0"), INITIAL_MAP, true,
		CAP_MASK(bpf) | CAP_MASK(perfmon) | CAP_MASK(checkpoint_restore),
		"the container or unit withholds capabilities. docker run --cap-add=PERFMON "
		"--cap-add=CHECKPOINT_RESTORE; systemd: CapabilityBoundingSet= with CAP_PERFMON "
		"CAP_CHECKPOINT_RESTORE");
	assert_cure(STATUS(SOME, ALL, "0"), INITIAL_MAP, true, CAP_MASK(perfmon),
		    "root has given capabilities up: start kiln with CAP_PERFMON");
	assert_cure(STATUS(ALL, ALL, "2"), INITIAL_MAP, true, CAP_MASK(bpf),
		    "the capabilities are there, so this container's seccomp filter refuses");
	assert_cure(STATUS(ALL, ALL, "0"), INITIAL_MAP, true, CAP_MASK(bpf),
		    "the capabilities are there, so a security module refuses");
	assert_cure(STATUS(ALL, ALL, "0"), "0 1000 1\n", true, CAP_MASK(bpf),
		    "run kiln outside of this user namespace (rootless container): capabilities "
		    "count in the initial one only");
}

TEST(test_caps_of_odd_texts)
{
	struct caps c;

	caps_parse(&c, "", "");
	assert_int_equal(c.effective, 0);
	assert_false(c.initial_userns);
	assert_false(c.seccomp);
	/* a name is anybody's: only a line's beginning counts */
	caps_parse(&c, "Name:\tCapEff:\tff\nXCapEff:\t1\nCapEff:\t10", INITIAL_MAP);
	assert_int_equal(c.effective, 0x10);
	assert_true(c.initial_userns);
	/* all six are in the word for setcap */
#define X(name, number, use) assert_non_null(strstr(CAPS_SETCAP, "cap_" #name));
	CAPS(X)
#undef X
}

/* The whole of it on this machine: every finding is complete, whatever the privileges. */
TEST(test_run)
{
	struct doctor d = {0};

	assert_int_equal(doctor_run(&d), 0);
	assert_true(d.findings.len >= 10);
	for (size_t i = 0; i < d.findings.len; i++) {
		const struct finding *f = &d.findings.data[i];

		assert_true(f->check[0] && f->detail[0]);
		if (f->status == FINDING_fail)
			assert_true(f->cure && f->cure[0]);
	}
	assert_int_equal(doctor_count(&d, FINDING_ok) + doctor_count(&d, FINDING_warn) +
				 doctor_count(&d, FINDING_fail) + doctor_count(&d, FINDING_info),
			 d.findings.len);
	if (d.cannot_sample)
		assert_true(doctor_count(&d, FINDING_fail) > 0);
	doctor_release(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kernel_versions),
		cmocka_unit_test(test_lockup_range),
		cmocka_unit_test(test_cures),
		cmocka_unit_test(test_caps_of_odd_texts),
		cmocka_unit_test(test_run),
	};

	return cmocka_run_group_tests_name("doctor", tests, NULL, NULL);
}
