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
	snprintf(a.why, sizeof(a.why), "cannot load %s0", t->key_file); /* another's */
	upload_target_judge(t, &a, &j);
	assert_null(strstr(j.why.text, "key_file0"));
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
	};

	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
