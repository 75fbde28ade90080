// SPDX-License-Identifier: GPL-2.0-or-later
/* Debug information for profile stores: whole rounds with tests/lib/profile_store, and answers that no server gave. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "profiler/upload/debuginfo.h"
#include "profiler/upload/target.h"
#include "proto/grpc.h"
#include "tests/lib/fixture.h"

#define TEST(name) static void name(void **state __attribute__((unused)))
#define MIB	   (1u << 20)
/* No multiple of a piece: two whole ones, and a rest. */
#define BYTES (2 * MIB + 12345)

static pid_t server;
static char ports[512];

static unsigned port_of(const char *name)
{
	char line[64];
	const char *at;

	snprintf(line, sizeof(line), "%s ", name);
	at = strstr(ports, line);
	assert_non_null(at);
	return (unsigned)strtoul(at + strlen(line), NULL, 10);
}

static struct upload_target *target(const char *scheme, const char *name)
{
	struct upload_target *t = NULL;
	struct why why = {""};
	char url[128];

	snprintf(url, sizeof(url), "%s://127.0.0.1:%u", scheme, name ? port_of(name) : 1);
	if (upload_target_new(&t, &(struct upload_target_opts){.url = url}, &why))
		fail_msg("%s: %s", url, why.text);
	return t;
}

static void fill(uint8_t *data, size_t len, uint32_t seed)
{
	for (size_t i = 0; i < len; i++) {
		seed = seed * 1664525 + 1013904223;
		data[i] = (uint8_t)(seed >> 24);
	}
}

static struct debuginfo_file file_of(const char *build_id, size_t len)
{
	uint8_t *data = malloc(len + 1);
	struct debuginfo_file f = {
		.bytes = len, .build_id = build_id, .name = "prog \"1\"\xff", .has_code = true};

	assert_non_null(data);
	fill(data, len, 7);
	f.fd = open("file", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(f.fd >= 0);
	assert_int_equal(write(f.fd, data, len), len);
	free(data);
	return f;
}

static void control(const char *method, const char *path, const char *body, struct net_answer *a)
{
	char url[256];
	struct net_request r = {.method = method,
				.url = url,
				.body = body,
				.len = body ? strlen(body) : 0,
				.max_bytes = 64 * MIB};

	snprintf(url, sizeof(url), "http://127.0.0.1:%u/test/%s", port_of("control"), path);
	assert_int_equal(net_fetch(&r, NULL, a), 0);
	assert_int_equal(a->status, 200);
}

static void assert_stored(const char *dest, const struct debuginfo_file *f)
{
	uint8_t *data = malloc(f->bytes);
	struct net_answer a;
	char path[128];

	snprintf(path, sizeof(path), "object?dest=%s&key=debuginfo/%s", dest, f->build_id);
	control("GET", path, NULL, &a);
	fill(data, f->bytes, 7);
	assert_int_equal(a.body.len, f->bytes);
	assert_memory_equal(a.body.data, data, f->bytes);
	net_answer_release(&a);
	free(data);
}

static void assert_pushed(const struct upload_target *t, const struct debuginfo_file *f,
			  enum debuginfo_outcome wanted, const char *says)
{
	struct why why = {""};
	enum debuginfo_outcome got = debuginfo_push(t, f, &why);

	if (got != wanted || !strstr(why.text, says))
		fail_msg("%s: outcome %d, \"%s\"", t->name, (int)got, why.text);
}

static const struct {
	const char *scheme, *name;
} stores[] = {{"pyroscope+http", "pyroscope"}, {"parca+http", "parca"}};
#define N_STORES (sizeof(stores) / sizeof(*stores))

TEST(files_arrive_once)
{
	static const size_t sizes[] = {BYTES, 1, MIB - 1, MIB, MIB + 1, 127, 128};
	static const char *const ids[] = {"aa01", "aa02", "aa03", "aa04", "aa05", "aa06", "aa07"};

	for (size_t s = 0; s < N_STORES; s++) {
		struct upload_target *t = target(stores[s].scheme, stores[s].name);

		for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
			struct debuginfo_file f = file_of(ids[i], sizes[i]);

			assert_pushed(t, &f, DEBUGINFO_SENT, "it took the file");
			assert_stored(stores[s].name, &f);
			assert_pushed(t, &f, DEBUGINFO_UNWANTED, "already exists");
			close(f.fd);
		}
		upload_target_free(t);
	}
}

/* PUT /test/fault */
static void set_fault(const char *json)
{
	struct net_answer a;

	control("PUT", "fault", json, &a);
	net_answer_release(&a);
}

static void set_fault_of_upload(size_t store)
{
	char json[256];

	snprintf(json, sizeof(json),
		 "[{\"kind\": \"reset_read\", \"bytes\": 1000000, \"count\": 1, "
		 "\"path\": \"/%sdebuginfo.v1alpha1.DebuginfoService/Upload\"}]",
		 store ? "parca." : "");
	set_fault(json);
}

TEST(servers_that_fail)
{
	for (size_t s = 0; s < N_STORES; s++) {
		struct upload_target *t = target(stores[s].scheme, stores[s].name);
		struct debuginfo_file f = file_of("bb01", BYTES);

		set_fault("[{\"kind\": \"status\", \"status\": 503, \"count\": 1}]");
		assert_pushed(t, &f, DEBUGINFO_AGAIN, "503");
		set_fault("[{\"kind\": \"status\", \"status\": 401, \"count\": 1}]");
		assert_pushed(t, &f, DEBUGINFO_REFUSED, "401");
		set_fault("[{\"kind\": \"html\", \"count\": 1}]");
		assert_pushed(t, &f, s ? DEBUGINFO_AGAIN : DEBUGINFO_REFUSED, "check the URL");
		/* In the middle of the file. */
		set_fault_of_upload(s);
		assert_pushed(t, &f, DEBUGINFO_AGAIN, "");
		assert_pushed(t, &f, DEBUGINFO_SENT, "it took the file");
		assert_stored(stores[s].name, &f);
		close(f.fd);
		upload_target_free(t);
	}
}

TEST(files_that_become_shorter)
{
	for (size_t s = 0; s < N_STORES; s++) {
		struct upload_target *t = target(stores[s].scheme, stores[s].name);
		struct debuginfo_file f = file_of("cc01", BYTES);

		assert_int_equal(ftruncate(f.fd, MIB + 5), 0);
		assert_pushed(t, &f, DEBUGINFO_AGAIN, "");
		close(f.fd);
		upload_target_free(t);
	}
}

TEST(files_that_no_store_takes)
{
	struct upload_target *parca = target("parca+http", NULL), *otlp = target("otlp+http", NULL);
	static const char *const wrong[] = {
		"", "a", "AA", "abc", "../x", "xy", "00000000000000000000000000000000000000000000"};
	struct debuginfo_file f = file_of("aa", 5);
	struct debuginfo *u = NULL;
	struct why why;

	assert_false(debuginfo_is_taken(otlp));
	assert_int_equal(debuginfo_new(&u, otlp, &f, &why), -EINVAL);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		f.build_id = wrong[i];
		assert_int_equal(debuginfo_new(&u, parca, &f, &why), -EINVAL);
	}
	f.build_id = "aa";
	f.bytes = 0;
	assert_int_equal(debuginfo_new(&u, parca, &f, &why), -EFBIG);
	f.bytes = DEBUGINFO_MAX_BYTES + 1;
	assert_int_equal(debuginfo_new(&u, parca, &f, &why), -EFBIG);
	assert_null(u);
	assert_pushed(parca, &f, DEBUGINFO_REFUSED, "1 GiB");
	close(f.fd);
	upload_target_free(parca);
	upload_target_free(otlp);
}

/* --- answers ---------------------------------------------------------------------------------------- */

static enum debuginfo_outcome answer(struct debuginfo *u, const char *message, size_t len,
				     struct why *why)
{
	struct net_answer a = {.status = 200, .retry_after_s = -1};
	enum debuginfo_outcome outcome;

	grpc_frame(&a.body, message, len, false);
	outcome = debuginfo_answer(u, &a, why);
	buf_release(&a.body);
	return outcome;
}
#define ANSWER(u, text, why) answer(u, text, sizeof(text) - 1, why)

static struct debuginfo *asked(const struct upload_target *t, const struct debuginfo_file *f)
{
	struct net_request r;
	struct debuginfo *u;
	struct why why;

	assert_int_equal(debuginfo_new(&u, t, f, &why), 0);
	assert_int_equal(debuginfo_request(u, &r, &why), 0);
	assert_int_equal(ANSWER(u, "\x08\x01", &why), DEBUGINFO_NEXT);
	assert_int_equal(debuginfo_request(u, &r, &why), 0);
	return u;
}

/* The token is the store's, and not of who signs URLs. */
TEST(signed_urls_get_the_file_and_no_secret)
{
	struct upload_target *t;
	struct debuginfo_file f = file_of("dd", 1000);
	struct net_request r;
	struct debuginfo *u;
	struct why why;
	char part[600];

	fixture_write("token", "sec-ret");
	assert_int_equal(chmod("token", 0600), 0);
	assert_int_equal(upload_target_new(&t,
					   &(struct upload_target_opts){.url = "parca+http://h",
									.token_file = "token"},
					   &why),
			 0);
	u = asked(t, &f);
	assert_int_equal(ANSWER(u, "\x0a\x14\x12\x02id\x18\x02\x22\x0chttp://s/b?c", &why),
			 DEBUGINFO_NEXT);
	assert_int_equal(debuginfo_request(u, &r, &why), 0);
	assert_string_equal(r.method, "PUT");
	assert_string_equal(r.url, "http://s/b?c");
	assert_null(r.auth.bearer);
	assert_null(r.headers);
	assert_int_equal(r.len, 1000);
	assert_int_equal(r.read(r.read_ctx, 500, part, sizeof(part)), 500);
	assert_int_equal(
		debuginfo_answer(u, &(struct net_answer){.status = 204, .grpc_status = -1}, &why),
		DEBUGINFO_NEXT);
	assert_int_equal(debuginfo_request(u, &r, &why), 0);
	assert_non_null(strstr(r.url, "MarkUploadFinished"));
	assert_string_equal(r.auth.bearer, "sec-ret");
	assert_int_equal(ANSWER(u, "", &why), DEBUGINFO_SENT);
	debuginfo_free(u);
	/* What it says is told without. */
	assert_int_equal(debuginfo_new(&u, t, &f, &why), 0);
	assert_int_equal(debuginfo_request(u, &r, &why), 0);
	assert_int_equal(ANSWER(u, "\x12\x0ano sec-ret", &why), DEBUGINFO_UNWANTED);
	assert_string_equal(why.text, "it wants no such file: no <redacted>");
	debuginfo_free(u);
	upload_target_free(t);
	close(f.fd);
}

TEST(what_has_not_all_arrived)
{
	struct upload_target *t = target("parca+http", NULL);
	struct debuginfo_file f = file_of("dd", 10);
	struct debuginfo *u = asked(t, &f);
	struct net_request r;
	struct why why;

	assert_int_equal(ANSWER(u, "\x0a\x06\x12\x02id\x18\x01", &why), DEBUGINFO_NEXT);
	assert_int_equal(debuginfo_request(u, &r, &why), 0);
	assert_int_equal(ANSWER(u, "\x10\x09", &why), DEBUGINFO_AGAIN);
	assert_non_null(strstr(why.text, "9 of 10 bytes"));
	debuginfo_free(u);
	upload_target_free(t);
	close(f.fd);
}

TEST(instructions_that_cannot_be_followed)
{
	static const struct {
		const char *message;
		size_t len;
	} cases[] = {
		{"", 0},
		{"\x0a\x7f", 2},
		{"\x0a\x02\x18\x01", 4},	   /* no id */
		{"\x0a\x06\x12\x02id\x18\x07", 8}, /* no such way */
		{"\x0a\x06\x12\x02id\x18\x02", 8}, /* no URL */
		{"\x0a\x0c\x12\x02id\x18\x02\x22\x04"
		 "ftp:",
		 14},
		{"\x0a\x06\x12\x02i\x01\x18\x01", 8}, /* an id of no text */
	};
	struct upload_target *t = target("parca+http", NULL);
	struct debuginfo_file f = file_of("dd", 10);
	struct why why;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct debuginfo *u = asked(t, &f);

		if (answer(u, cases[i].message, cases[i].len, &why) != DEBUGINFO_REFUSED)
			fail_msg("case %zu: %s", i, why.text);
		debuginfo_free(u);
	}
	upload_target_free(t);
	close(f.fd);
}

static int start_server(const char *root)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/tests/lib/profile_store", root);
	server = fork();
	if (!server) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* Debian's, whose python3-h2 it needs. */
		execl("/usr/bin/python3", "python3", path, "serve", "server", "pyroscope", "parca",
		      NULL);
		_exit(127);
	}
	for (int i = 0; i < 1000 && !strstr(ports, "control"); i++) {
		FILE *f = fopen("server/ports", "re");
		size_t n = f ? fread(ports, 1, sizeof(ports) - 1, f) : 0;

		ports[n] = '\0';
		if (f)
			fclose(f);
		usleep(20000);
	}
	return strstr(ports, "control") ? 0 : -1;
}

static int setup(void **state)
{
	char root[PATH_MAX / 2];

	return !getcwd(root, sizeof(root)) || fixture_setup(state) ? -1 : start_server(root);
}

static int teardown(void **state)
{
	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
	}
	return fixture_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_arrive_once),
		cmocka_unit_test(servers_that_fail),
		cmocka_unit_test(files_that_become_shorter),
		cmocka_unit_test(files_that_no_store_takes),
		cmocka_unit_test(signed_urls_get_the_file_and_no_secret),
		cmocka_unit_test(what_has_not_all_arrived),
		cmocka_unit_test(instructions_that_cannot_be_followed),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
