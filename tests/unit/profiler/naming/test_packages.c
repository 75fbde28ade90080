// SPDX-License-Identifier: GPL-2.0-or-later
/* Which command installs a file's debug symbols, as a system's release and dpkg's lists say. */
#include "tests/lib/fixture.h"

#include "profiler/naming/packages.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

#define DEBIAN	"ID=debian\nVERSION_CODENAME=bookworm\n"
#define ARCHIVE " (deb http://deb.debian.org/debian-debug bookworm-debug main)"

static struct packages *packages;
static char command[512];

/* A host without packages, of this release. */
static void new_host(const char *release)
{
	packages_free(packages);
	fixture_run(
		"rm -rf host && mkdir -p host/etc host/var/lib/dpkg/info host/usr/bin "
		"host/usr/lib/x86_64-linux-gnu host/opt && ln -s usr/bin usr/lib host && "
		"echo x >host/usr/bin/server && echo y >host/usr/lib/x86_64-linux-gnu/libc.so.6 && "
		"echo z >host/opt/own");
	if (release)
		fixture_write("host/etc/os-release", release);
	assert_int_equal(packages_new(&packages, fixture_at("host")), 0);
}

static void add_list(const char *list, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "host/var/lib/dpkg/info/%s", list);
	fixture_write(path, text);
}

static struct package_file file_of(const char *path)
{
	struct package_file f = {.path = path, .build_id = {.len = 4, .data = {0xab, 1, 2, 3}}};
	char full[512];
	int fd;

	snprintf(full, sizeof(full), "host%s", path);
	fd = fixture_open(full);
	assert_true(sym_file_key(fd, &f.key));
	close(fd);
	return f;
}

static enum package_answer ask_file(const struct package_file *f)
{
	struct buf b = {0};
	enum package_answer a = packages_ask(packages, f, &b);

	snprintf(command, sizeof(command), "%s", buf_cstr(&b));
	buf_release(&b);
	return a;
}

static enum package_answer ask(const char *path)
{
	struct package_file f = file_of(path);

	return ask_file(&f);
}

static void assert_command(const char *path, const char *want)
{
	assert_int_equal(ask(path), PACKAGE_FOUND);
	assert_string_equal(command, want);
}

TEST(test_package_of_a_file)
{
	new_host(DEBIAN);
	add_list("a.list", "/.\n/usr/bin\n/usr/bin/server-old\n/bin/xserver\n/x/usr/bin/server\n");
	add_list("server-tools.list", "/.\n/usr/bin\n/usr/bin/server\n/usr/share\n");
	add_list("server-tools.md5sums", "/usr/bin/server\n");
	assert_command("/usr/bin/server",
		       "apt install server-tools-dbgsym, if there is one" ARCHIVE);
	assert_int_equal(ask("/opt/own"), PACKAGE_NONE);
	assert_string_equal(command, "");
}

/* A line that ends as the path does, and a list whose name no package can have. */
TEST(test_lists_that_nearly_have_it)
{
	char name[200 + 6];

	new_host(DEBIAN);
	add_list("a.list", "/x/usr/bin/server\n/xbin/server\n/usr/bin/server.old\n/bin/server");
	memset(name, 'a', 200);
	strcpy(name + 200, ".list");
	add_list(name, "/usr/bin/server\n");
	assert_int_equal(ask("/usr/bin/server"), PACKAGE_NONE);
}

/* Where /lib is a link into /usr, lists may still have the path without it. */
TEST(test_either_path_of_a_merged_usr)
{
	new_host(DEBIAN);
	add_list("libc6:amd64.list", "/lib/x86_64-linux-gnu/libc.so.6\n");
	add_list("first.list", "/bin/server\n");
	assert_command("/usr/lib/x86_64-linux-gnu/libc.so.6", "apt install libc6-dbg");
	assert_command("/lib/x86_64-linux-gnu/libc.so.6", "apt install libc6-dbg");
	assert_command("/usr/bin/server", "apt install first-dbgsym, if there is one" ARCHIVE);
	assert_command("/bin/server", "apt install first-dbgsym, if there is one" ARCHIVE);
}

/* Debug symbols that are packages of the main archive. */
TEST(test_packages_by_another_name)
{
	static const char *const cases[][2] = {
		{"libc6", "libc6-dbg"},
		{"libc6-i386", "libc6-i386-dbgsym, if there is one" ARCHIVE},
		{"openjdk-17-jre-headless", "openjdk-17-dbg"},
		{"openjdk-8", "openjdk-8-dbg"},
		{"openjdk-lts", "openjdk-lts-dbgsym, if there is one" ARCHIVE},
		{"python3.11-minimal", "python3.11-dbg"},
		{"libpython3.11", "python3.11-dbg"},
		{"libpython3.11-stdlib", "python3.11-dbg"},
		{"libpython3-dev", "libpython3-dev-dbgsym, if there is one" ARCHIVE},
		{"libc-bin", "libc6-dbg"},
		{"python3-numpy", "python3-numpy-dbgsym, if there is one" ARCHIVE},
		{"g++-12", "g++-12-dbgsym, if there is one" ARCHIVE},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char list[64], want[256];

		new_host(DEBIAN);
		snprintf(list, sizeof(list), "%s.list", cases[i][0]);
		snprintf(want, sizeof(want), "apt install %s", cases[i][1]);
		add_list(list, "/usr/bin/server\n");
		assert_command("/usr/bin/server", want);
	}
}

TEST(test_other_systems)
{
	static const struct {
		const char *release, *want;
	} cases[] = {
		{"ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=noble\n",
		 "apt install server-dbgsym, if there is one (deb http://ddebs.ubuntu.com noble "
		 "main "
		 "restricted universe multiverse)"},
		{"NAME=x\nID=mint\nID_LIKE=\"ubuntu debian\"\nVERSION_CODENAME=virginia\n",
		 "apt install server-dbgsym, if there is one"},
		{"ID='debian'\n", "apt install server-dbgsym, if there is one"},
		{"ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n",
		 "dnf debuginfo-install $(rpm -qf /usr/bin/server)"},
		{"ID=fedora\n", "dnf debuginfo-install $(rpm -qf /usr/bin/server)"},
		{"ID=arch\n", NULL},
		{"ID=debian$(x)\n", NULL},
		{"MYID=debian\n", NULL},
		{NULL, NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		new_host(cases[i].release);
		add_list("server.list", "/usr/bin/server\n");
		if (cases[i].want)
			assert_command("/usr/bin/server", cases[i].want);
		else
			assert_int_equal(ask("/usr/bin/server"), PACKAGE_UNKNOWN);
	}
	new_host("ID=fedora\n");
	assert_int_equal(ask("/opt/own"), PACKAGE_NONE);
	fixture_run("mkdir -p host/usr/local/bin && echo >host/usr/local/bin/own");
	assert_int_equal(ask("/usr/local/bin/own"), PACKAGE_NONE);
	fixture_run("echo >'host/usr/bin/a;b'");
	assert_int_equal(ask("/usr/bin/a;b"), PACKAGE_NONE);
}

/* A word that no codename is: of an archive without one nothing is said. */
TEST(test_a_codename_without_end)
{
	char release[400];

	snprintf(release, sizeof(release), "ID=debian\nVERSION_CODENAME=%0200d\n", 1);
	new_host(release);
	add_list("server.list", "/usr/bin/server\n");
	assert_command("/usr/bin/server", "apt install server-dbgsym, if there is one");
}

/* The path of another root directory's file, or of one that was replaced. */
TEST(test_files_from_elsewhere)
{
	struct package_file f;

	new_host(DEBIAN);
	add_list("server.list", "/usr/bin/server\n");
	assert_int_equal(ask("/usr/bin/server"), PACKAGE_FOUND);
	f = file_of("/usr/bin/server");
	f.key.ino++;
	assert_int_equal(ask_file(&f), PACKAGE_ELSEWHERE);
	f = file_of("/usr/bin/server");
	f.key.dev++;
	assert_int_equal(ask_file(&f), PACKAGE_ELSEWHERE);
	f.path = "/usr/bin/gone";
	assert_int_equal(ask_file(&f), PACKAGE_ELSEWHERE);
	f.path = "server";
	assert_int_equal(ask_file(&f), PACKAGE_ELSEWHERE);
	assert_string_equal(command, "");
}

TEST(test_a_debug_file_that_is_here)
{
	new_host(DEBIAN);
	add_list("server.list", "/usr/bin/server\n");
	fixture_run("mkdir -p host/usr/lib/debug/.build-id/ab && "
		    "touch host/usr/lib/debug/.build-id/ab/010203.debug");
	assert_int_equal(ask("/usr/bin/server"), PACKAGE_INSTALLED);
}

/* Files that no user's doing may have searched for. */
TEST(test_files_of_users)
{
	new_host(DEBIAN);
	add_list("server.list", "/usr/bin/server\n");
	if (geteuid())
		skip();
	fixture_run("chown 1000 host/usr/bin/server");
	assert_int_equal(ask("/usr/bin/server"), PACKAGE_NONE);
}

TEST(test_odd_lists)
{
	char *big = malloc(9 << 20);

	new_host(DEBIAN);
	fixture_run("cd host/var/lib/dpkg/info && mkdir a.list && mkfifo b.list && "
		    "ln -s nowhere c.list && ln -s d.list d.list && "
		    "echo /usr/bin/server >'$(x).list' && echo /usr/bin/server >'A.list' && "
		    "echo /usr/bin/server >.list && echo /usr/bin/server >lst && : >e.list");
	memset(big, 'x', 9 << 20);
	memcpy(big, "/usr/bin/server\n", 16);
	big[(9 << 20) - 1] = '\0';
	add_list("big.list", big); /* over the cap of one */
	free(big);
	assert_int_equal(ask("/usr/bin/server"), PACKAGE_NONE);
}

TEST(test_answers_are_remembered)
{
	char name[32];

	new_host(DEBIAN);
	add_list("server.list", "/usr/bin/server\n");
	assert_int_equal(ask("/usr/bin/server"), PACKAGE_FOUND);
	fixture_run("rm host/var/lib/dpkg/info/server.list");
	assert_int_equal(ask("/usr/bin/server"), PACKAGE_FOUND);
	for (int i = 0; i < 32; i++) { /* more than are kept */
		snprintf(name, sizeof(name), "/opt/f%d", i);
		fixture_run("touch host%s", name);
		assert_int_equal(ask(name), PACKAGE_NONE);
	}
	assert_int_equal(ask("/usr/bin/server"), PACKAGE_NONE);
}

TEST(test_questions_of_a_minute_are_bounded)
{
	char name[32];

	new_host(DEBIAN);
	add_list("server.list", "/usr/bin/server\n");
	for (int i = 0; i < 64; i++) {
		snprintf(name, sizeof(name), "/opt/f%d", i);
		fixture_run("touch host%s", name);
		assert_int_equal(ask(name), PACKAGE_NONE);
	}
	assert_int_equal(ask("/usr/bin/server"), PACKAGE_UNKNOWN);
	assert_int_equal(ask("/opt/f63"), PACKAGE_NONE); /* is known */
}

static int end(void **state)
{
	packages_free(packages);
	packages_free(NULL);
	return fixture_teardown(state);
}

int main(void)
{
#define T(name) cmocka_unit_test(name)
	const struct CMUnitTest tests[] = {
		T(test_package_of_a_file),
		T(test_lists_that_nearly_have_it),
		T(test_either_path_of_a_merged_usr),
		T(test_packages_by_another_name),
		T(test_other_systems),
		T(test_a_codename_without_end),
		T(test_files_from_elsewhere),
		T(test_a_debug_file_that_is_here),
		T(test_files_of_users),
		T(test_odd_lists),
		T(test_answers_are_remembered),
		T(test_questions_of_a_minute_are_bounded),
	};

	return cmocka_run_group_tests_name("packages", tests, fixture_setup, end);
}
