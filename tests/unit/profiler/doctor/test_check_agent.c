// SPDX-License-Identifier: GPL-2.0-or-later
/* What the doctor says of an installed agent: from systemd's answers, configurations and stores. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "profiler/agent/config_data.h"
#include "profiler/agent/config_schema.h"
#include "profiler/doctor/agent_unit.h"
#include "profiler/doctor/check_agent.h"
#include "profiler/doctor/doctor.h"
#include "tests/lib/fixture.h"
#include "tests/lib/store.h"

#define TEST(name) static void name(void **state __attribute__((unused)))
#define CAPS_OF_UNIT                                                                               \
	"cap_dac_read_search cap_sys_ptrace cap_syslog cap_perfmon cap_bpf cap_checkpoint_restore"
#define RUNNING                                                                                    \
	"LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nResult=success\n"            \
	"StatusText=3 windows stored\nUser=root\nNRestarts=0\n"

static struct agent_unit unit(const char *text)
{
	struct agent_unit u;

	agent_unit_parse(&u, text);
	return u;
}

/* The only finding is of this status, and its texts have these in them; then it is forgotten. */
static void assert_finding(struct doctor *d, enum finding_status status, const char *detail,
			   const char *cure)
{
	const struct finding *f = d->findings.data;

	assert_int_equal(d->findings.len, 1);
	if (f->status != status || !strstr(f->detail, detail))
		fail_msg("%s: %s", finding_status_name(f->status), f->detail);
	assert_int_equal(f->cure != NULL, cure != NULL);
	if (cure && !strstr(f->cure, cure))
		fail_msg("cure: %s", f->cure);
	doctor_release(d);
	*d = (struct doctor){0};
}

TEST(test_parse)
{
	struct agent_unit u =
		unit(RUNNING "AmbientCapabilities=cap_bpf cap_perfmon cap_chown\n"
			     "CapabilityBoundingSet=" CAPS_OF_UNIT "\nOther=x\nodd\n");

	assert_string_equal(u.status, "3 windows stored");
	assert_true(agent_unit_is_there(&u));
	assert_int_equal(u.ambient, CAP_MASK(bpf) | CAP_MASK(perfmon));
	assert_int_equal(__builtin_popcountll(u.bounding), 6);
	u = unit("LoadState=not-found\nActiveState=inactive\n");
	assert_false(agent_unit_is_there(&u));
	u = unit("");
	assert_false(agent_unit_is_there(&u));
}

TEST(test_unit)
{
	static const struct {
		const char *text;
		enum finding_status status;
		const char *detail, *cure;
	} rows[] = {
		{RUNNING, FINDING_ok, "3 windows stored", NULL},
		{RUNNING "NRestarts=2\n", FINDING_warn, "after 2 restarts", "journalctl"},
		{RUNNING "UnitFileState=disabled\n", FINDING_warn, "not after the next boot",
		 "enable"},
		{RUNNING "ActiveState=failed\nResult=watchdog\n", FINDING_warn,
		 "is failed, reason: watchdog", "journalctl"},
		{RUNNING "ActiveState=inactive\n", FINDING_warn, "is inactive", "enable --now"},
		{RUNNING "LoadState=masked\nActiveState=inactive\n", FINDING_warn, "is masked",
		 "unmask"},
	};
	struct doctor d = {0};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct agent_unit u = unit(rows[i].text);

		check_agent_unit(&d, &u);
		assert_finding(&d, rows[i].status, rows[i].detail, rows[i].cure);
	}
}

TEST(test_capabilities)
{
	struct doctor d = {0};
	struct agent_unit u = unit("User=daemon\nAmbientCapabilities=" CAPS_OF_UNIT
				   "\nCapabilityBoundingSet=" CAPS_OF_UNIT "\n");

	check_agent_caps(&d, &u);
	assert_finding(&d, FINDING_ok, "daemon, with the capabilities", NULL);
	u.ambient &= ~CAP_MASK(syslog);
	check_agent_caps(&d, &u);
	assert_finding(&d, FINDING_warn, "lacks CAP_SYSLOG (read kernel symbols)",
		       "CapabilityBoundingSet= with CAP_SYSLOG");
	/* The bounding set alone withholds one, also from root. */
	u = unit("User=\nCapabilityBoundingSet=cap_bpf\n");
	check_agent_caps(&d, &u);
	assert_finding(&d, FINDING_warn, "CAP_PERFMON (sample all processes", "CAP_PERFMON CAP_");
	u = unit("User=nobody-of-this-name\n");
	check_agent_caps(&d, &u);
	assert_finding(&d, FINDING_warn, "there is no user nobody-of", "adduser");
}

TEST(test_configuration)
{
	struct doctor d = {0};
	struct config *c;

	fixture_write("kiln.yaml", "store: {path: /srv/kiln}\n");
	c = check_agent_config(&d, "kiln.yaml");
	assert_non_null(c);
	assert_string_equal(c->store_path, "/srv/kiln");
	config_free(c);
	assert_finding(&d, FINDING_ok, "is right", NULL);
	fixture_write("kiln.yaml", "wndow: 5s\nstore: 7\n");
	assert_null(check_agent_config(&d, "kiln.yaml"));
	assert_finding(&d, FINDING_warn, "kiln.yaml:1:1: ", "--check-config");
}

TEST(test_store)
{
	struct agent_unit u = unit("User=daemon\n"), root = unit("");
	struct doctor d = {0};

	assert_int_equal(mkdir("store", 0755), 0);
	check_agent_store(&d, &root, "store");
	assert_finding(&d, FINDING_warn, "has mode 0755", "chmod 0750");
	assert_int_equal(chmod("store", 0750), 0);
	check_agent_store(&d, &root, "store");
	assert_finding(&d, FINDING_ok, "mode 0750", NULL);
	check_agent_store(&d, &u, "store");
	assert_finding(&d, FINDING_warn, "daemon cannot write", "chown -R daemon:daemon");
	check_agent_store(&d, &u, "/dev/null");
	assert_finding(&d, FINDING_warn, "no directory", "store.path");
	check_agent_store(&d, &u, "/nowhere/at/all");
	assert_finding(&d, FINDING_warn, "No such file", "install -d");
}

/* systemd knows no unit: in a container, or where another init runs. */
TEST(test_absent)
{
	struct doctor d = {0};

	check_agent_absent(&d, false, 0);
	assert_finding(&d, FINDING_info, "not installed as a service", NULL);
	check_agent_absent(&d, true, 0);
	assert_finding(&d, FINDING_info, "is installed, but systemd does not answer", NULL);
}

TEST(test_windows)
{
	struct window w = random_window(1, T0, 10 * SECOND);
	struct agent_unit runs = unit(RUNNING), ended = unit("ActiveState=failed\n");
	struct doctor d = {0};
	struct store *s = open_store("windows", &(struct store_opts){.access = STORE_WRITE});

	check_agent_windows(&d, &runs, "windows", 10 * SECOND, T0);
	assert_finding(&d, FINDING_info, "none yet", NULL);
	assert_int_equal(append_window(s, &w), 0);
	check_agent_windows(&d, &runs, "windows", 10 * SECOND, T0 + 11 * SECOND);
	assert_finding(&d, FINDING_ok, "began 11 s ago", NULL);
	check_agent_windows(&d, &runs, "windows", 10 * SECOND, T0 + 89 * SECOND);
	assert_finding(&d, FINDING_ok, "began 89 s ago", NULL);
	check_agent_windows(&d, &runs, "windows", 10 * SECOND, T0 + 5 * MINUTE);
	assert_finding(&d, FINDING_warn, "began 5 minutes ago, although", "journalctl");
	check_agent_windows(&d, &runs, "windows", 10 * SECOND, T0 + 72 * HOUR);
	assert_finding(&d, FINDING_warn, "began 3 days ago, although", "journalctl");
	check_agent_windows(&d, &ended, "windows", 10 * SECOND, T0 + 5 * HOUR);
	assert_finding(&d, FINDING_info, "began 5 hours ago", NULL);
	store_close(s);
	window_release(&w);
}

static struct config *delivering(void)
{
	struct doctor d = {0};
	struct config *c;

	fixture_write("kiln.yaml", "store: {path: /x}\n"
				   "upload:\n- {name: a, url: 'pprof+http://127.0.0.1:9/x'}\n");
	c = check_agent_config(&d, "kiln.yaml");
	assert_non_null(c);
	doctor_release(&d);
	free(c->store_path);
	c->store_path = realpath("delivering", NULL);
	assert_non_null(c->store_path);
	return c;
}

#define STATUS(answered, well, windows, oldest, answer)                                            \
	"kiln-status 1\nanswered " answered "\nwell " well "\nwindows " windows "\noldest " oldest \
	"\n" answer "\n"

TEST(test_delivery)
{
	const int64_t t0 = 1000000 * SECOND;
	struct agent_unit runs = unit(RUNNING), ended = unit("ActiveState=failed\n");
	struct doctor d = {0};
	struct config *c;

	fixture_run("mkdir -p delivering/upload");
	c = delivering();
	check_agent_delivery(&d, &runs, c, t0);
	assert_finding(&d, FINDING_info, "a: it has not answered yet", NULL);
	fixture_write("delivering/upload/a.status",
		      STATUS("1000000000000000", "1", "0", "0", "200"));
	check_agent_delivery(&d, &runs, c, t0 + 12 * SECOND);
	assert_finding(&d, FINDING_ok, "a: 200, 12 s ago", NULL);
	check_agent_delivery(&d, &runs, c, t0 + HOUR); /* it should have been asked since */
	assert_finding(&d, FINDING_warn, "a: 200, 60 minutes ago", "--check-upload");
	check_agent_delivery(&d, &ended, c, t0 + HOUR);
	assert_finding(&d, FINDING_info, "a: 200, 60 minutes ago", NULL);
	fixture_write("delivering/upload/a.status",
		      STATUS("1000000000000000", "0", "7", "999900000000000",
			     "401 unauthenticated: check token_file"));
	check_agent_delivery(&d, &runs, c, t0);
	assert_finding(&d, FINDING_warn,
		       "a: 401 unauthenticated: check token_file, 0 s ago; 7 windows waited, the "
		       "oldest began 100 s ago",
		       "--check-upload");
	fixture_write("delivering/upload/a.status",
		      STATUS("1000000000000000", "1", "9", "1", "200"));
	check_agent_delivery(&d, &runs, c, t0); /* it takes windows, but not fast enough */
	assert_finding(&d, FINDING_warn, "9 windows waited, the oldest began 11 days ago",
		       "--check-upload");
	fixture_write("delivering/upload/a.status", "kiln-status 1\nanswered x\n");
	check_agent_delivery(&d, &runs, c, t0);
	assert_finding(&d, FINDING_info, "a: Bad message", NULL);
	config_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),	     cmocka_unit_test(test_unit),
		cmocka_unit_test(test_capabilities), cmocka_unit_test(test_configuration),
		cmocka_unit_test(test_absent),	     cmocka_unit_test(test_store),
		cmocka_unit_test(test_windows),	     cmocka_unit_test(test_delivery),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
