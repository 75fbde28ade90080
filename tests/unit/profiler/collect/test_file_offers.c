// SPDX-License-Identifier: GPL-2.0-or-later
/* Which files are offered to stores of debug information, how often, and whose go first. With real openers. */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/statvfs.h>

#include "tests/lib/files_table.h"

#include "profiler/base/cleanup.h"
#include "profiler/base/log.h"
#include "profiler/collect/file_offer.h"
#include "profiler/collect/file_offers.h"
#include "symbolizer/opener/opener.h"
#include "symbolizer/sandbox/message.h"
#include "tests/lib/aggregates.h"

#define TEST(name) static void name(void **state __attribute__((unused)))
#define SOON_MS	   5000
#define NEVER_MS   1500 /* nothing comes for so long: nothing comes */

static struct opener *opener;
static struct files *files;
static struct file_offers *offers;
static struct aggregate agg;
static bool is_fresh; /* the aggregate */
static int sock = -1; /* whoever gives files to stores */

static int setup(void **state)
{
	if (fixture_setup(state))
		return -1;
	log_set_level(LOG_QUIET);
	alarm(120);
	fixture_write("x.c", "int x(void) { return 0; }\n");
	fixture_run("for id in 01 02 03 04; do cc -g -shared -Wl,--build-id=0x$id$id$id$id "
		    "-o full$id x.c; cp full$id symbols$id; strip -g symbols$id; "
		    "cp full$id stripped$id; strip stripped$id; done");
	return opener_new(&opener);
}

static int teardown(void **state)
{
	opener_free(opener);
	return fixture_teardown(state);
}

static int begin_with(uint32_t max_open)
{
	struct files_opts opts = {.opener = opener, .max_open = max_open};

	return files_new(&files, &opts) ?: file_offers_new(&offers, files);
}

static int begin(void **state)
{
	(void)state;
	return begin_with(0);
}

static int begin_small(void **state)
{
	(void)state;
	return begin_with(1);
}

static int end(void **state)
{
	(void)state;
	file_offers_free(offers);
	files_free(files);
	aggregate_clear(&agg);
	cleanup_close_fd(&sock);
	sock = -1;
	return 0;
}

/* Files here can be root's, and count as such. */
static bool is_root(void)
{
	struct statvfs v;

	return !getuid() && !statvfs(".", &v) && !(v.f_flag & ST_NOSUID);
}

static void connect_to(bool others)
{
	int pair[2];

	cleanup_close_fd(&sock);
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
	sock = pair[0];
	file_offers_connect(offers, pair[1], others);
}

/* Samples were taken in it. */
static void look_at(uint32_t id)
{
	agg_stack_of(&agg, UNWIND_ON, 0, AGG_FRAMES({AT_FILE, id, 0x1000}));
	file_offers_look(offers, &agg, is_fresh);
	is_fresh = false;
}

static void next_window(void)
{
	aggregate_clear(&agg);
	is_fresh = true;
}

static void see(const char *name)
{
	look_at(intern(files, inode_key(name)));
}

/* inode_key() of a full path, as mappings have them. */
static void see_it(const char *name)
{
	see(full(name));
}

static bool comes(struct file_offer *f, int *fd, int wait_ms)
{
	struct pollfd p = {.fd = sock, .events = POLLIN};
	static char msg[WIRE_BYTES_MAX];

	if (poll(&p, 1, wait_ms) <= 0)
		return false;
	assert_int_equal(wire_recv(sock, msg, fd), sizeof(*f));
	memcpy(f, msg, sizeof(*f));
	assert_true(*fd >= 0);
	return true;
}

static void answer(uint32_t verdict)
{
	const struct file_offer_answer a = {verdict};

	assert_int_equal(wire_send(sock, &a, sizeof(a), -1), 0);
}

/* The next offer is this file, by its inode. */
static struct file_offer assert_comes(const char *name, const char *build_id)
{
	struct file_offer f = {{0}};
	struct stat want, got;
	int fd = -1;

	if (!comes(&f, &fd, SOON_MS))
		fail_msg("%s does not come", name);
	assert_string_equal(f.build_id, build_id);
	assert_int_equal(stat(name, &want), 0);
	assert_int_equal(fstat(fd, &got), 0);
	assert_int_equal(got.st_ino, want.st_ino);
	close(fd);
	return f;
}

static void assert_nothing_comes(void)
{
	struct file_offer f = {{0}};
	int fd = -1;

	if (comes(&f, &fd, NEVER_MS))
		fail_msg("%s comes", f.name);
}

static struct file_offers_stats stats_of_offers(void)
{
	struct file_offers_stats s;

	file_offers_stats(offers, &s);
	return s;
}

TEST(each_file_once)
{
	struct file_offer f;

	connect_to(true);
	fixture_run("chmod 755 full01");
	see_it("full01");
	if (!is_root()) { /* nothing here is root's: it would come in ten minutes */
		assert_nothing_comes();
		skip();
	}
	f = assert_comes("full01", "01010101");
	assert_string_equal(f.name, "full01");
	assert_true(f.has_code && f.of_root);
	assert_nothing_comes(); /* one at a time */
	see_it("symbols02");
	assert_nothing_comes();
	answer(FILE_OFFER_DONE);
	assert_comes("symbols02", "02020202");
	answer(FILE_OFFER_DONE);
	see_it("full01");
	see_it("symbols01"); /* of the same build */
	assert_nothing_comes();
	assert_int_equal(stats_of_offers().offered, 2);
}

/* One that strips a file of its symbols would keep the full one out of the store. */
TEST(what_is_not_worth_it)
{
	connect_to(false);
	see_it("stripped03");
	fixture_run("chmod 750 symbols04");
	see_it("symbols04");
	assert_nothing_comes();
	if (!is_root())
		skip();
	assert_int_equal(stats_of_offers().stripped, 1);
	assert_int_equal(stats_of_offers().unreadable, 1);
	assert_int_equal(stats_of_offers().offered, 0);
	fixture_run("chmod 755 symbols04");
}

/* A user's file that claims root's build id: it is not offered, and does not stand in the way of root's. */
TEST(files_of_users)
{
	if (!is_root())
		skip();
	fixture_run("cp full01 theirs01; chown 4242 theirs01; cp full02 open02; chmod 777 open02");
	connect_to(false);
	see_it("theirs01");
	see_it("open02");
	assert_nothing_comes();
	assert_int_equal(stats_of_offers().foreign, 2);
	see_it("full01");
	assert_comes("full01", "01010101");
	answer(FILE_OFFER_DONE);
}

/* It takes a hand to see that root's file can be written by others. Root's other one of this build id, which was looked
 * at meanwhile, gets its turn. */
TEST(no_file_keeps_roots_away)
{
	if (!is_root())
		skip();
	fixture_run("cp full01 theirs01; chown 4242 theirs01; cp full01 open01; chmod 777 open01");
	connect_to(false);
	see_it("full02");
	assert_comes("full02", "02020202");
	see_it("full01"); /* looked at in reverse */
	see_it("theirs01");
	see_it("open01");
	answer(FILE_OFFER_DONE);
	assert_nothing_comes();
	assert_int_equal(stats_of_offers().foreign, 2);
	next_window();
	see_it("full01");
	assert_comes("full01", "01010101");
	answer(FILE_OFFER_DONE);
}

/* Where those are wanted, they wait for ten minutes; root's comes at once and goes in their place. */
TEST(root_goes_first)
{
	if (!is_root())
		skip();
	connect_to(true);
	see_it("theirs01");
	assert_nothing_comes();
	see_it("full01");
	assert_comes("full01", "01010101");
	answer(FILE_OFFER_DONE);
	assert_nothing_comes();
	assert_int_equal(stats_of_offers().foreign, 0);
}

/* A store that is away is left alone for a while, whatever else there is. */
TEST(later)
{
	if (!is_root())
		skip();
	connect_to(false);
	see_it("full01");
	assert_comes("full01", "01010101");
	answer(FILE_OFFER_LATER);
	see_it("full02");
	assert_nothing_comes();
}

/* Who comes after one that has died is offered all again, but no file for which two have died. */
TEST(after_a_death)
{
	if (!is_root())
		skip();
	connect_to(false);
	see_it("full01");
	assert_comes("full01", "01010101");
	answer(FILE_OFFER_DONE);
	see_it("full02");
	assert_comes("full02", "02020202");
	connect_to(false);
	assert_comes("full01", "01010101");
	answer(FILE_OFFER_DONE);
}

/* Closes all others: the table keeps one open. */
static void close_files(void)
{
	view(files, intern(files, inode_key(full("stripped03"))));
	assert_int_equal(stats_of(files).open, 1);
}

static uint32_t intern_by(pid_t tgid, const char *name)
{
	struct file_key key = inode_key(full(name));
	uint32_t id = files_intern(files, &key, tgid, 0, 0, 0);

	assert_true(files_settle(files, 10000));
	return id;
}

/* What was closed and cannot be opened again is no file that nobody can read: it comes with the next window that has
 * it, once another process maps it. */
TEST(not_open)
{
	struct file_offer f;
	int fd = -1;
	uint32_t id;

	if (!is_root())
		skip();
	connect_to(false);
	id = intern(files, inode_key(full("full01")));
	fixture_run("mv full01 away01");
	close_files();
	look_at(id);
	assert_nothing_comes();
	assert_int_equal(stats_of_offers().closed, 1);
	fixture_run("mv away01 full01");
	assert_int_equal(intern_by(getppid(), "full01"), id);
	look_at(id); /* still that window */
	assert_nothing_comes();
	next_window();
	look_at(id);
	assert_comes("full01", "01010101");
	answer(FILE_OFFER_DONE);
	assert_int_equal(stats_of_offers().unreadable, 0);
	assert_int_equal(stats_of_offers().closed, 1);
	next_window();
	look_at(id);
	assert_false(comes(&f, &fd, NEVER_MS));
}

/* As before, but it is closed while it waits for its turn. */
TEST(closed_while_it_waits)
{
	uint32_t id;

	if (!is_root())
		skip();
	connect_to(false);
	see_it("full02");
	assert_comes("full02", "02020202");
	id = intern(files, inode_key(full("full01")));
	look_at(id);
	usleep(NEVER_MS * 1000); /* it is looked at, and waits */
	fixture_run("mv full01 away01");
	close_files();
	answer(FILE_OFFER_DONE);
	assert_nothing_comes();
	assert_int_equal(stats_of_offers().closed, 1);
	assert_int_equal(stats_of_offers().stripped, 0);
	fixture_run("mv away01 full01");
	assert_int_equal(intern_by(getppid(), "full01"), id);
	next_window();
	look_at(id);
	assert_comes("full01", "01010101");
	answer(FILE_OFFER_DONE);
	assert_int_equal(stats_of_offers().unreadable, 0);
}

int main(void)
{
#define CASE(f)	 cmocka_unit_test_setup_teardown(f, begin, end)
#define SMALL(f) cmocka_unit_test_setup_teardown(f, begin_small, end)
	const struct CMUnitTest tests[] = {
		CASE(each_file_once),
		CASE(what_is_not_worth_it),
		CASE(files_of_users),
		CASE(root_goes_first),
		CASE(later),
		CASE(after_a_death),
		SMALL(not_open),
		SMALL(closed_while_it_waits),
		CASE(no_file_keeps_roots_away),
	};

	return cmocka_run_group_tests_name("file_offers", tests, setup, teardown);
}
