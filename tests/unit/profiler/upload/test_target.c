// SPDX-License-Identifier: GPL-2.0-or-later
/* Destinations: URLs, secrets, what a request gets, and what answers mean. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>

#include "profiler/upload/secrets.h"
#include "profiler/upload/target.h"
#include "tests/lib/fixture.h"

#define TEST(name) static void name(void **state __attribute__((unused)))

static char *no_env[] = {NULL};
static char *keys_env[] = {"AWS_ACCESS_KEY_ID=AK", "AWS_SECRET_ACCESS_KEY=env-secret", NULL};

static struct upload_target *target(const struct upload_target_opts *o)
{
	struct upload_target *t = NULL;
	struct why why = {""};

	if (upload_target_new(&t, o, &why))
		fail_msg("%s: %s", o->url, why.text);
	return t;
}

static void assert_refused(const struct upload_target_opts *o, int err, const char *wanted)
{
	struct upload_target *t = NULL;
	struct why why = {""};

	assert_int_equal(upload_target_new(&t, o, &why), err);
	assert_null(t);
	if (!strstr(why.text, wanted))
		fail_msg("\"%s\" is not in \"%s\"", wanted, why.text);
	if (strstr(why.text, "sec-ret"))
		fail_msg("a secret in \"%s\"", why.text);
}

/* --- URLs ----------------------------------------------------------------------------------------- */

TEST(urls)
{
	static const struct {
		const char *url, *base, *path, *query, *shown;
	} cases[] = {
		{"pprof+http://h", "http://h", "", "", "pprof+http://h"},
		{"pprof+https://h:1/", "https://h:1", "", "", "pprof+https://h:1"},
		{"pprof+http://[::1]:80/a/{id}", "http://[::1]:80", "/a/{id}", "",
		 "pprof+http://[::1]:80/a/{id}"},
		{"pprof+http://h/a?key=sec-ret", "http://h", "/a", "key=sec-ret",
		 "pprof+http://h/a?..."},
		{"pprof+http://h?k=v", "http://h", "", "k=v", "pprof+http://h?..."},
		{"otlp+grpc://h/", "http://h:4317", "", "", "otlp+grpc://h:4317"},
		{"parca+http://h/", "http://h:7070", "", "", "parca+http://h:7070"},
		{"otlp+grpcs://h/", "https://h", "", "", "otlp+grpcs://h"},
		{"pyroscope+https://h/p", "https://h", "/p", "", "pyroscope+https://h/p"},
		{"otlp+https://h:4318", "https://h:4318", "", "", "otlp+https://h:4318"},
		{"s3+https://h.a-b_c/bucket/p", "https://h.a-b_c", "/bucket/p", "",
		 "s3+https://h.a-b_c/bucket/p"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct upload_target *t =
			target(&(struct upload_target_opts){.url = cases[i].url, .env = keys_env});

		assert_string_equal(t->base, cases[i].base);
		assert_string_equal(t->path, cases[i].path);
		assert_string_equal(t->query, cases[i].query);
		assert_string_equal(t->shown, cases[i].shown);
		assert_string_equal(t->name, cases[i].shown);
		upload_target_free(t);
	}
}

TEST(urls_that_are_none)
{
	static const struct {
		const char *url, *why;
	} cases[] = {
		{"", "not a URL that says which protocol it takes"},
		{"http://h", "pyroscope+http://HOST:4040"},
		{"pyroscop+http://h", "did you mean \"pyroscope+http://\"?"},
		{"s3+http:/h/b", "not a URL that says"},
		{"otlp+grpc://", "a URL without a host"},
		{"otlp+http://:4318/", "a URL without a host"},
		{"otlp+http://?x", "a URL without a host"},
		{"parca+https://me:sec-ret@h", "a URL with a password in it"},
		{"parca+https://h/a b", "characters that have to be escaped"},
		{"parca+https://h/{id}", "characters that have to be escaped"},
		{"parca+https://h/%4", "characters that have to be escaped"},
		{"parca+https://h/\xc3\xa4", "characters that have to be escaped"},
		{"parca+https://h/a\n", "characters that have to be escaped"},
		{"parca+https://h:/", "a URL without a port after its colon"},
		{"parca+https://h:0", "a URL without a port after its colon"},
		{"parca+https://h:65536", "a URL without a port after its colon"},
		{"parca+https://h:123456", "a URL without a port after its colon"},
		{"parca+https://h:1x", "whose host is no name and no address"},
		{"parca+https://[::1", "whose host is no name and no address"},
		{"parca+https://[]:1", "whose host is no name and no address"},
		{"parca+https://h;x/", "whose host is no name and no address"},
		{"parca+https://h/a#b", "a URL with a fragment"},
		{"pprof+http://h/{nam}", "\"{nam}\" in the URL is none of {host} {time}"},
		{"pprof+http://h/{id", "\"{id\" in the URL"},
		{"pprof+http://h/id}", "\"}\" in the URL"},
		{"s3+http://h", "begins its path with the bucket"},
		{"s3+http://h/ab", "begins its path with the bucket"},
		{"s3+http://h/Bucket", "begins its path with the bucket"},
		{"s3+http://h/bucket/a%20b", "only letters, digits"},
		{"s3+http://h/bucket/a+b", "only letters, digits"},
		{"s3+http://h/bucket/../x", "none that begin with a point"},
		{"s3+http://h/bucket//x", "no empty parts"},
		{"s3+http://h/bucket?x=y", "a URL of S3 has no query"},
	};
	char longest[UINT16_MAX];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_refused(&(struct upload_target_opts){.url = cases[i].url, .env = keys_env},
			       -EINVAL, cases[i].why);
	memset(longest, 'a', sizeof(longest));
	memcpy(longest, "s3+http://", 10);
	longest[2000] = '\0';
	assert_refused(&(struct upload_target_opts){.url = longest}, -EINVAL,
		       "more than 1024 bytes");
	assert_int_equal(upload_url_check("otlp+grpcs://h", NULL), 0);
	assert_int_equal(upload_url_check("otlp+grpcss://h", NULL), -EINVAL);
}

/* --- options -------------------------------------------------------------------------------------- */

TEST(options_that_make_no_sense)
{
	struct upload_header header = {"X-A", "sec-ret"};
	struct upload_target_opts o = {.url = "pprof+http://h", .headers = &header};

	fixture_write("good", "sec-ret\n");
	fixture_run("chmod 600 good");
	o.username = "me";
	assert_refused(&o, -EINVAL, "username and password_file go together");
	o.token_file = o.password_file = "good";
	assert_refused(&o, -EINVAL, "only one can be used");
	o.token_file = NULL;
	o.username = "a:b";
	assert_refused(&o, -EINVAL, "username: a name with a colon");
	o.username = "a\nb";
	assert_refused(&o, -EINVAL, "username: empty, or control characters");
	o.username = o.password_file = NULL;
	o.cert_file = "good";
	assert_refused(&o, -EINVAL, "cert_file and key_file go together");
	o.cert_file = NULL;
	o.ca_file = "good";
	assert_refused(&o, -EINVAL, "ca_file: the scheme of the URL is one without TLS");
	o.url = "pprof+https://h";
	o.ca_file = "nothing";
	assert_refused(&o, -ENOENT, "ca_file: nothing: No such file");
	o.ca_file = "good";
	assert_refused(&o, -EINVAL, "ca_file: good: it is no PEM");
	o.ca_file = NULL;
	o.proxy = "socks5://h";
	assert_refused(&o, -EINVAL, "is no http://HOST:PORT");
	o.proxy = "http://me:sec-ret@h:1";
	assert_refused(&o, -EINVAL, "proxy: a password in it");
	o.proxy = NULL;
	o.tenant = "a\r\nX: sec-ret";
	assert_refused(&o, -EINVAL, "tenant: empty, or control characters");
	o.tenant = NULL;
	o.n_headers = 1;
	header.name = "Bad Name";
	assert_refused(&o, -EINVAL, "\"Bad Name\" is no name of a header");
	header.name = "content-length";
	assert_refused(&o, -EINVAL, "kiln sets content-length itself");
	header.name = "X";
	header.value = "sec-ret\r\nY: z";
	assert_refused(&o, -EINVAL, "the value of X has control characters");
	header = (struct upload_header){"authorization", "sec-ret"};
	upload_target_free(target(&o));
	o.token_file = "good";
	assert_refused(&o, -EINVAL, "Authorization, and token_file or username");
}

TEST(files_of_secrets)
{
	static const struct {
		const char *text;
		int mode, err;
		const char *why;
	} cases[] = {
		{"sec-ret", 0600, 0, NULL},
		{"sec-ret\r\nmore\n", 0640, 0, NULL},
		{"sec-ret\n", 0644, -EACCES, "token_file: t: everybody may open it: chmod o= t"},
		{"sec-ret\n", 0602, -EACCES, "everybody may open it"},
		{"", 0600, -EINVAL, "the first line is empty"},
		{"\nsec-ret\n", 0600, -EINVAL, "the first line is empty"},
		{"\r\nsec-ret\n", 0600, -EINVAL, "the first line is empty"},
		{"sec-ret\x1b[31m\n", 0600, -EINVAL, "the first line has control characters"},
		{"sec-ret\xff\n", 0600, -EINVAL, "the first line has control characters"},
		{"sec-ret two\n", 0600, -EINVAL, "a token has no blanks"},
		{"sec-ret\xc3\xa4\n", 0600, -EINVAL, "a token has no blanks"},
	};
	struct upload_target_opts o = {.url = "pprof+http://h", .token_file = "t"};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		fixture_write("t", cases[i].text);
		fixture_run("chmod %o t", (unsigned)cases[i].mode);
		if (cases[i].err) {
			assert_refused(&o, cases[i].err, cases[i].why);
			continue;
		}
		struct upload_target *t = target(&o);

		assert_string_equal(t->bearer, "sec-ret");
		upload_target_free(t);
	}
	fixture_run("rm t");
	assert_refused(&o, -ENOENT, "token_file: t: No such file");
	fixture_run("head -c 100000 /dev/zero | tr '\\0' a >t && chmod 600 t");
	assert_refused(&o, -EFBIG, "token_file: t: more than 8192 bytes");
	fixture_run("printf 'a\\0b' >t");
	assert_refused(&o, -EINVAL, "it is no text");
	o.token_file = "/";
	assert_refused(&o, -EISDIR, "token_file: /");
	fixture_run("rm t && mkfifo -m 600 t");
	o.token_file = "t"; /* nobody writes: it must not hang */
	assert_refused(&o, -EINVAL, "the first line is empty");
	fixture_run("rm t");
}

/* A process that may no longer open the files still has them. */
TEST(copies_of_certificates)
{
	struct upload_target_opts o = {.url = "pprof+https://h", .cert_file = "c", .key_file = "k"};
	struct net_answer a = {.err = -EACCES, .is_bad_request = true};
	struct upload_judgement j;
	struct upload_target *t;
	uint8_t *text;
	size_t len;

	fixture_write("c", "-----BEGIN CERTIFICATE-----\n");
	fixture_write("k", "-----BEGIN PRIVATE KEY-----\nsec-ret\n");
	fixture_run("chmod 644 c k");
	assert_refused(&o, -EACCES, "key_file: k: everybody may open it");
	fixture_run("chmod 600 k");
	t = target(&o);
	fixture_run("rm c k");
	text = fixture_read(t->key_file, &len);
	assert_string_equal((char *)text, "-----BEGIN PRIVATE KEY-----\nsec-ret\n");
	free(text);
	snprintf(a.why, sizeof(a.why), "cannot load %s", t->key_file);
	upload_target_judge(t, &a, &j);
	assert_string_equal(j.why.text, "ca_file, cert_file or key_file: cannot load key_file");
	upload_target_free(t);
}

TEST(passwords_may_have_blanks)
{
	struct upload_target *t;

	fixture_write("pw", "a b\xc3\xa4 \n");
	fixture_run("chmod 600 pw");
	t = target(&(struct upload_target_opts){
		.url = "pprof+http://h", .username = "me", .password_file = "pw"});
	assert_string_equal(t->password, "a b\xc3\xa4 ");
	upload_target_free(t);
}

/* --- AWS ------------------------------------------------------------------------------------------ */

#define CREDENTIALS                                                                                \
	"# keys\n[other]\naws_access_key_id = OTHER\naws_secret_access_key=other-secret\n"         \
	"[default]\n; more\naws_access_key_id = FILE\naws_secret_access_key = a/b+c=\n"            \
	"s3 =\n  aws_access_key_id = nested\nregion = eu-central-1\nunknown = x\n"                 \
	"[profile third]\r\naws_access_key_id=THIRD\r\naws_secret_access_key=t\r\n"                \
	"aws_session_token = tok\r\n"

static void assert_keys(char *const *env, const char *key, const char *secret, const char *token,
			const char *region)
{
	struct upload_target *t =
		target(&(struct upload_target_opts){.url = "s3+http://h/bucket", .env = env});

	assert_string_equal(t->aws_key, key);
	assert_string_equal(t->aws_secret, secret);
	assert_string_equal(t->aws_session_token ?: "none", token);
	assert_string_equal(t->aws_region, region);
	upload_target_free(t);
}

TEST(keys_of_aws)
{
	char *all[] = {"AWS_ACCESS_KEY_ID=AK",
		       "AWS_SECRET_ACCESS_KEY=SK",
		       "AWS_SESSION_TOKEN=ST",
		       "AWS_DEFAULT_REGION=a",
		       "AWS_REGION=b",
		       "AWS_SHARED_CREDENTIALS_FILE=/nothing",
		       NULL};
	char *file[] = {"AWS_SHARED_CREDENTIALS_FILE=cred", "AWS_ACCESS_KEY_ID=", NULL};
	char *other[] = {"AWS_SHARED_CREDENTIALS_FILE=cred", "AWS_PROFILE=other",
			 "AWS_DEFAULT_REGION=a", NULL};
	char *third[] = {"AWS_SHARED_CREDENTIALS_FILE=cred", "AWS_PROFILE=third", NULL};

	fixture_write("cred", CREDENTIALS);
	fixture_run("chmod 600 cred");
	assert_keys(keys_env, "AK", "env-secret", "none", "us-east-1");
	assert_keys(all, "AK", "SK", "ST", "b");
	assert_keys(file, "FILE", "a/b+c=", "none", "eu-central-1");
	assert_keys(other, "OTHER", "other-secret", "none", "a");
	assert_keys(third, "THIRD", "t", "tok", "us-east-1");
}

TEST(keys_from_the_configuration)
{
	struct upload_target_opts o = {.url = "s3+http://h/bucket",
				       .username = "MINE",
				       .password_file = "pw",
				       .env = keys_env};
	struct upload_target *t;

	fixture_write("pw", "sec-ret\n");
	fixture_run("chmod 600 pw");
	t = target(&o);
	assert_string_equal(t->aws_key, "MINE");
	assert_string_equal(t->aws_secret, "sec-ret");
	assert_null(t->username);
	upload_target_free(t);
	o.username = o.password_file = NULL;
	o.token_file = "pw";
	assert_refused(&o, -EINVAL, "token_file: requests are signed");
}

/* As the configuration's key is called. */
TEST(what_pyroscope_does_not_take)
{
	assert_refused(
		&(struct upload_target_opts){.url = "pyroscope+http://h", .without_names = true},
		-EINVAL, "names: false is not for Pyroscope");
}

TEST(keys_that_are_none)
{
	char *half[] = {"AWS_ACCESS_KEY_ID=AK", NULL};
	char *odd[] = {"AWS_ACCESS_KEY_ID=AK", "AWS_SECRET_ACCESS_KEY=sec-ret\n", NULL};
	char *file[] = {"AWS_SHARED_CREDENTIALS_FILE=cred", NULL};
	struct upload_target_opts o = {.url = "s3+http://h/bucket", .env = no_env};

	assert_refused(&o, -EINVAL, "an access key is missing");
	o.url = "s3+http://h"; /* of two mistakes the one that stays with any key */
	assert_refused(&o, -EINVAL, "begins its path with the bucket");
	o.url = "s3+http://h/bucket";
	o.env = NULL;
	assert_refused(&o, -EINVAL, "an access key is missing");
	o.env = half;
	assert_refused(&o, -EINVAL, "AWS_SECRET_ACCESS_KEY go together");
	o.env = odd;
	assert_refused(&o, -EINVAL, "AWS_SECRET_ACCESS_KEY: too long, or control characters");
	o.env = file;
	fixture_run("rm -f cred");
	assert_refused(&o, -ENOENT, "AWS_SHARED_CREDENTIALS_FILE: cred: No such file");
	fixture_write("cred", "[other]\naws_access_key_id = x\n");
	fixture_run("chmod 644 cred");
	assert_refused(&o, -EACCES, "everybody may open it");
	fixture_run("chmod 600 cred");
	assert_refused(&o, -ENOENT, "cred: it has no profile \"default\"");
	fixture_write("cred", "[default]\nsec-ret\n");
	assert_refused(&o, -EINVAL, "line 2 has no =");
	fixture_write("cred", "[default]\naws_secret_access_key = sec-ret\n");
	assert_refused(&o, -EINVAL, "go together");
	fixture_write("cred", "[default]\naws_secret_access_key = sec-ret\x01\n");
	assert_refused(&o, -EINVAL, "line 2 has no value, or control characters");
}

/* --- requests -------------------------------------------------------------------------------------- */

TEST(what_a_request_gets)
{
	const struct upload_header more[] = {{"X-A", "b"}, {"content-type", "text/x"}};
	struct upload_target *t = target(&(struct upload_target_opts){.url = "pprof+https://h",
								      .tenant = "t1",
								      .proxy = "http://p:1",
								      .headers = more,
								      .n_headers = 2});
	char *own[] = {"Content-Type: application/proto", "X-Own: 1"};
	struct upload_request r = {.method = "POST", .url = "https://h/"};
	const char **headers;
	struct net_request out;

	r.headers.data = own;
	r.headers.len = 2;
	assert_int_equal(upload_target_request(t, &r, &out, &headers), 0);
	assert_string_equal(headers[0], "X-Own: 1");
	assert_string_equal(headers[1], "X-A: b");
	assert_string_equal(headers[2], "content-type: text/x");
	assert_string_equal(headers[3], "X-Scope-OrgID: t1");
	assert_null(headers[4]);
	assert_ptr_equal(out.headers, headers);
	assert_string_equal(out.proxy, "http://p:1");
	assert_null(out.auth.aws_secret);
	free(headers);
	upload_target_free(t);
}

/* --- answers --------------------------------------------------------------------------------------- */

static void judge(const struct upload_target *t, struct net_answer *a, const char *body,
		  struct upload_judgement *out)
{
	a->body = (struct buf){0};
	buf_str(&a->body, body ? body : "");
	memset(out, 0x55, sizeof(*out));
	upload_target_judge(t, a, out);
	buf_release(&a->body);
}

TEST(what_statuses_mean)
{
	static const struct {
		long status;
		const char *type, *body;
		enum upload_verdict verdict;
		const char *why;
	} cases[] = {
		{200, "", "", UPLOAD_DELIVERED, "200"},
		{204, "", "", UPLOAD_DELIVERED, "204"},
		{301, "", "", UPLOAD_WRONG,
		 "301: the server sends elsewhere, and kiln follows no "
		 "redirects: put the new URL"},
		{304, "", "", UPLOAD_WRONG, "304: "},
		{400, "text/plain", "no such\nfield", UPLOAD_REFUSED, "400 Bad Request: no such"},
		{401, "application/json", "{\"code\":\"unauthenticated\",\"message\":\"no org.\"}",
		 UPLOAD_WRONG, "401 Unauthorized: no org: set token_file, or username and"},
		{403, "text/html", "<html>no", UPLOAD_WRONG,
		 "403 Forbidden: check token_file, username and password_file, tenant"},
		{404, "", "", UPLOAD_WRONG, "404 Not Found: check the path of the URL"},
		{408, "", "", UPLOAD_AGAIN, "408 Request Timeout"},
		{413, "", "", UPLOAD_REFUSED, "413 Content Too Large"},
		{415, "", "", UPLOAD_WRONG, "415"},
		{418, "", "", UPLOAD_REFUSED, "418 unknown"},
		{429, "", "", UPLOAD_AGAIN, "429 Too Many Requests"},
		{500, "", "\x1b[31mred", UPLOAD_AGAIN_FEW,
		 "500 Internal Server Error: \xef\xbf\xbd[31mred"},
		{502, "", "", UPLOAD_AGAIN, "502 Bad Gateway"},
		{503, "", "", UPLOAD_AGAIN, "503 Service Unavailable"},
		{504, "", "", UPLOAD_AGAIN, "504 Gateway Timeout"},
		{599, "", "", UPLOAD_AGAIN_FEW, "599 unknown"},
	};
	struct upload_target *t = target(&(struct upload_target_opts){.url = "pprof+http://h"});

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct net_answer a = {.status = cases[i].status, .retry_after_s = 9};
		struct upload_judgement j;

		snprintf(a.content_type, sizeof(a.content_type), "%s", cases[i].type);
		judge(t, &a, cases[i].body, &j);
		if (j.verdict != cases[i].verdict || strstr(j.why.text, cases[i].why) != j.why.text)
			fail_msg("%ld: %d, %s", a.status, j.verdict, j.why.text);
		if (j.verdict == UPLOAD_AGAIN)
			assert_int_equal(j.retry_after_s, 9);
	}
	upload_target_free(t);
}

TEST(what_no_answer_means)
{
	static const struct {
		int err;
		bool is_bad_request;
		enum upload_verdict verdict;
		const char *why;
	} cases[] = {
		{-ECONNREFUSED, false, UPLOAD_AGAIN, "the reason"},
		{-ECONNREFUSED, true, UPLOAD_WRONG, "the reason"},
		{-ETIMEDOUT, false, UPLOAD_AGAIN, "the reason"},
		{-EIO, false, UPLOAD_AGAIN, "the reason: perhaps it refuses cert_file"},
		{-ENOMEM, false, UPLOAD_AGAIN, "the reason"},
		{-EFBIG, false, UPLOAD_AGAIN_FEW, "the reason"},
		{-EPROTO, false, UPLOAD_WRONG, "TLS: the reason: set ca_file"},
		{-EACCES, true, UPLOAD_WRONG, "ca_file, cert_file or key_file: the reason"},
		{-ENOSYS, true, UPLOAD_WRONG, "the reason"},
	};
	struct upload_target *t = target(&(struct upload_target_opts){.url = "pprof+https://h"});

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct net_answer a = {.err = cases[i].err,
				       .is_bad_request = cases[i].is_bad_request,
				       .why = "the reason"};
		struct upload_judgement j;

		judge(t, &a, NULL, &j);
		if (j.verdict != cases[i].verdict || strstr(j.why.text, cases[i].why) != j.why.text)
			fail_msg("%d: %d, %s", a.err, j.verdict, j.why.text);
	}
	upload_target_free(t);
}

/* What was set is not asked for again. */
TEST(what_unauthenticated_means)
{
	static const struct {
		const char *url;
		bool has_token, has_user;
		int grpc_status;
		const char *why;
	} cases[] = {
		{"pprof+http://h", false, false, -1,
		 "401 Unauthorized: set token_file, or username and password_file"},
		{"pprof+http://h", true, false, -1, "401 Unauthorized: check token_file"},
		{"pprof+http://h", false, true, -1,
		 "401 Unauthorized: check username and password_file"},
		{"pyroscope+http://h", true, false, -1, "401 Unauthorized: check token_file"},
		{"otlp+http://h", true, false, -1, "401 Unauthorized: check token_file"},
		{"parca+http://h", true, false, 16, "UNAUTHENTICATED: check token_file"},
		{"parca+http://h", false, false, 16,
		 "UNAUTHENTICATED: set token_file, or username and password_file"},
		{"s3+http://h/bucket", false, true, -1,
		 "401 Unauthorized: check the access key and its secret"},
	};

	fixture_run("echo abc >t; echo abc >p; chmod 600 t p");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct upload_target *t = target(&(struct upload_target_opts){
			.url = cases[i].url,
			.token_file = cases[i].has_token ? "t" : NULL,
			.username = cases[i].has_user ? "me" : NULL,
			.password_file = cases[i].has_user ? "p" : NULL,
			.env = no_env});
		struct net_answer a = {.status = cases[i].grpc_status < 0 ? 401 : 200,
				       .grpc_status = cases[i].grpc_status};
		struct upload_judgement j;

		judge(t, &a, NULL, &j);
		assert_string_equal(j.why.text, cases[i].why);
		upload_target_free(t);
	}
}

static void assert_port(const char *url, const char *reason, const char *want)
{
	struct upload_target *t = target(&(struct upload_target_opts){.url = url});
	struct net_answer a = {.err = -EIO};
	struct upload_judgement j;

	snprintf(a.why, sizeof(a.why), "%s", reason);
	judge(t, &a, NULL, &j);
	assert_int_equal(j.verdict, UPLOAD_AGAIN);
	assert_string_equal(j.why.text, want);
	upload_target_free(t);
}

TEST(ports_of_otlp)
{
	assert_port("otlp+http://h", "the answer is not of HTTP/1",
		    "the answer is not of HTTP/1: is it the port of HTTP, mostly 4318? The one of "
		    "gRPC takes otlp+grpc");
	assert_port("otlp+grpc://h", "Send failure: Broken pipe",
		    "Send failure: Broken pipe: is it the port of gRPC, mostly 4317? The one of "
		    "HTTP takes otlp+http");
	assert_port("otlp+http://h", "Empty reply", "Empty reply");
	assert_port("pprof+http://h", "the answer is not of HTTP/1", "the answer is not of HTTP/1");
}

TEST(what_s3_means)
{
	static const struct {
		long status;
		const char *code;
		enum upload_verdict verdict;
		const char *why;
	} cases[] = {
		{403, "SignatureDoesNotMatch", UPLOAD_WRONG,
		 "403 SignatureDoesNotMatch: what it says: check the secret of the access key"},
		{400, "AuthorizationHeaderMalformed", UPLOAD_WRONG,
		 "400 AuthorizationHeaderMalformed: what it says: set AWS_REGION"},
		{404, "NoSuchBucket", UPLOAD_WRONG, "404 NoSuchBucket: what it says: make the"},
		{400, "EntityTooLarge", UPLOAD_REFUSED, "400 EntityTooLarge: what it says"},
		{400, "RequestTimeout", UPLOAD_AGAIN, "400 RequestTimeout: what it says"},
		{503, "SlowDown", UPLOAD_AGAIN, "503 SlowDown: what it says"},
		{500, "InternalError", UPLOAD_AGAIN_FEW, "500 InternalError: what it says"},
	};
	struct upload_target *t =
		target(&(struct upload_target_opts){.url = "s3+http://h/bucket", .env = keys_env});
	struct net_answer a = {.status = 200, .content_type = "text/html"};
	struct upload_judgement j;
	char body[300];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		a = (struct net_answer){.status = cases[i].status,
					.content_type = "application/xml"};
		snprintf(body, sizeof(body),
			 "<?xml version=\"1.0\"?><Error><Code>%s</Code>"
			 "<Message>what it says.</Message></Error>",
			 cases[i].code);
		judge(t, &a, body, &j);
		if (j.verdict != cases[i].verdict || strstr(j.why.text, cases[i].why) != j.why.text)
			fail_msg("%s: %d, %s", cases[i].code, j.verdict, j.why.text);
	}
	a = (struct net_answer){.status = 403, .content_type = "application/xml"};
	judge(t, &a, "<Code>cut off", &j);
	assert_int_equal(j.verdict, UPLOAD_WRONG);
	a = (struct net_answer){.status = 200, .content_type = "text/html; charset=utf-8"};
	judge(t, &a, "<html>", &j);
	assert_int_equal(j.verdict, UPLOAD_WRONG);
	upload_target_free(t);
}

/* A server that echoes what it was sent, also in pieces. */
TEST(secrets_are_hidden)
{
	const struct upload_header more[] = {{"X-Key", "Token header-secret-1"}};
	struct net_answer a = {.status = 500};
	struct upload_target *t;
	struct upload_judgement j;
	char body[400];

	fixture_write("t", "abc-sec-ret-0123456789-of-some-length\n");
	fixture_write("short", "pw1\n");
	fixture_run("chmod 600 t short");
	t = target(&(struct upload_target_opts){
		.url = "pprof+http://h", .token_file = "t", .headers = more, .n_headers = 1});
	judge(t, &a, "you sent Bearer abc-sec-ret-0123456789-of-some-length and header-secret-1.",
	      &j);
	assert_string_equal(j.why.text, "500 Internal Server Error: you sent Bearer <redacted> and "
					"<redacted>.");
	/* At the place where a quotation is cut. */
	memset(body, 'x', sizeof(body));
	snprintf(body + 180, sizeof(body) - 180, "abc-sec-ret-0123456789-of-some-length");
	judge(t, &a, body, &j);
	assert_null(strstr(j.why.text, "sec-ret"));
	assert_non_null(strstr(j.why.text, "<redacted>"));
	a = (struct net_answer){.err = -ETIMEDOUT,
				.why = "abc-sec-ret-0123456789-of-some-length failed"};
	judge(t, &a, NULL, &j);
	assert_string_equal(j.why.text, "<redacted> failed");
	upload_target_free(t);

	t = target(&(struct upload_target_opts){
		.url = "pprof+http://h", .username = "me", .password_file = "short"});
	a = (struct net_answer){.status = 500};
	judge(t, &a, "me:pw1", &j);
	assert_string_equal(j.why.text, "500 Internal Server Error: me:<redacted>");
	/* However much longer it gets. */
	memset(body, 0, sizeof(body));
	for (int i = 0; i < 60; i++)
		strcat(body, "pw1");
	judge(t, &a, body, &j);
	assert_null(strstr(j.why.text, "pw1"));
	assert_true(strlen(j.why.text) < sizeof(j.why.text));
	upload_target_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls),
		cmocka_unit_test(urls_that_are_none),
		cmocka_unit_test(options_that_make_no_sense),
		cmocka_unit_test(files_of_secrets),
		cmocka_unit_test(copies_of_certificates),
		cmocka_unit_test(passwords_may_have_blanks),
		cmocka_unit_test(keys_of_aws),
		cmocka_unit_test(keys_from_the_configuration),
		cmocka_unit_test(what_pyroscope_does_not_take),
		cmocka_unit_test(keys_that_are_none),
		cmocka_unit_test(what_a_request_gets),
		cmocka_unit_test(what_statuses_mean),
		cmocka_unit_test(what_no_answer_means),
		cmocka_unit_test(what_unauthenticated_means),
		cmocka_unit_test(ports_of_otlp),
		cmocka_unit_test(what_s3_means),
		cmocka_unit_test(secrets_are_hidden),
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
