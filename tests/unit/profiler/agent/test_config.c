// SPDX-License-Identifier: GPL-2.0-or-later
/* The configuration: what is read, what is said about every kind of mistake, and that what is printed is
 * read again as the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profiler/agent/config.h"
#include "profiler/agent/config_doc.h"
#include "profiler/base/buf.h"

static struct config *parse(const char *text)
{
	struct config_errors errs = {0};
	struct config *c = NULL;

	if (config_parse(&c, "k.yaml", text, strlen(text), &errs))
		fail_msg("refused: %s", buf_cstr(&errs.text));
	buf_release(&errs.text);
	return c;
}

static void assert_refused_n(const char *text, size_t len, const char *wanted)
{
	struct config_errors errs = {0};
	struct config *c = NULL;

	assert_int_equal(config_parse(&c, "k.yaml", text, len, &errs), -EBADMSG);
	assert_null(c);
	assert_string_equal(buf_cstr(&errs.text), wanted);
	buf_release(&errs.text);
}

static void assert_refused(const char *text, const char *wanted)
{
	assert_refused_n(text, strlen(text), wanted);
}

static void defaults(void **state)
{
	struct config *c = parse("# nothing\n");

	(void)state;
	assert_int_equal(c->frequency_hz, 19);
	assert_int_equal(c->window_ns, 10000000000);
	assert_string_equal(c->store_path, "/var/lib/kiln");
	assert_int_equal(c->store_max_bytes, 2ull << 30);
	assert_int_equal(c->store_max_age_ns, 30 * 86400 * 1000000000ull);
	assert_int_equal(c->store_min_free_bytes, 1ull << 30);
	assert_string_equal(c->http_listen, "127.0.0.1:7676");
	assert_null(c->http_socket);
	assert_int_equal(c->cpu_ppm, 10000);
	assert_int_equal(c->memory_bytes, 128ull << 20);
	assert_int_equal(c->log_level, CONFIG_LOG_INFO);
	assert_int_equal(c->log_format, CONFIG_LOGFMT);
	assert_int_equal(c->labels.list.len, 0);
	config_free(c);
}

static const char all_keys[] =
	"sampling: {frequency: 97, exclude_self: true}\n"
	"window: 1m\n"
	"store: {path: /srv/kiln, max_size: 1.5GiB, max_age: 36h, min_free: 512MiB}\n"
	"http:\n"
	"  listen: '[::]:7676'\n"
	"  socket: /run/kiln/http\n"
	"  token_file: /etc/kiln/token\n"
	"  hosts: [kiln.example, kiln2.example]\n"
	"  tls: {cert: /etc/kiln/cert.pem, key: /etc/kiln/key.pem, proxy: false}\n"
	"limits: {cpu: 0.25%, memory: 64 MiB}\n"
	"labels:\n"
	"  env: prod\n"
	"  rack: \"no \\\"7\\\" \\\\ #1: x\"\n"
	"relabel:\n"
	"- {action: drop, source: unit, regex: 'user@.*'}\n"
	"- action: replace\n"
	"  source: pod\n"
	"  regex: (.*)-[a-z0-9]+\n"
	"  target: service_name\n"
	"  replacement: $1\n"
	"- {action: replace, target: dc, replacement: ''}\n"
	"log: {level: debug, format: json}\n"
	"upload:\n"
	"- name: main\n"
	"  url: pyroscope+https://p.example:4040/a?b=query-secret\n"
	"  token_file: /etc/kiln/p\n"
	"  tenant: t1\n"
	"  headers: {X-A: very-secret, X-B: hidden}\n"
	"- {name: other, url: 'otlp+grpc://o:4317', ca_file: /etc/ca, cert_file: /c, key_file: "
	"/k,\n"
	"   proxy: 'http://proxy:3128', username: me, password_file: /etc/kiln/pw}\n";

static void every_key(void **state)
{
	struct config *c = parse(all_keys);

	(void)state;
	assert_int_equal(c->frequency_hz, 97);
	assert_true(c->exclude_self);
	assert_int_equal(c->window_ns, 60000000000);
	assert_string_equal(c->store_path, "/srv/kiln");
	assert_int_equal(c->store_max_bytes, 3ull << 29);
	assert_int_equal(c->store_max_age_ns, 36 * 3600 * 1000000000ull);
	assert_int_equal(c->store_min_free_bytes, 512ull << 20);
	assert_string_equal(c->http_listen, "[::]:7676");
	assert_string_equal(c->http_socket, "/run/kiln/http");
	assert_int_equal(c->http_hosts.list.len, 2);
	assert_string_equal(c->http_hosts.list.data[1], "kiln2.example");
	assert_string_equal(c->tls_key, "/etc/kiln/key.pem");
	assert_int_equal(c->cpu_ppm, 2500);
	assert_int_equal(c->memory_bytes, 64ull << 20);
	assert_int_equal(c->labels.list.len, 2);
	assert_string_equal(c->labels.list.data[1].value, "no \"7\" \\ #1: x");
	assert_int_equal(c->relabel.len, 3);
	assert_int_equal(c->relabel.data[0].action, RELABEL_DROP);
	assert_string_equal(c->relabel.data[1].replacement, "$1");
	assert_string_equal(c->relabel.data[2].replacement, "");
	assert_null(c->relabel.data[2].source);
	assert_int_equal(c->log_level, CONFIG_LOG_DEBUG);
	assert_int_equal(c->log_format, CONFIG_JSON);
	assert_int_equal(c->upload.len, 2);
	assert_string_equal(c->upload.data[0].tenant, "t1");
	assert_string_equal(c->upload.data[0].headers.list.data[1].value, "hidden");
	assert_string_equal(c->upload.data[1].proxy, "http://proxy:3128");
	assert_int_equal(c->places[CONFIG_KEY_tls_key].line, 9);
	config_free(c);
}

/* What is printed says the same, and no secret. */
static void prints_what_it_reads(void **state)
{
	struct config *c = parse(all_keys), *again;
	struct buf first = {0}, second = {0}, commented = {0};

	(void)state;
	config_print(&first, c, true);
	again = parse(buf_cstr(&first));
	config_print(&second, again, true);
	assert_string_equal(buf_cstr(&first), buf_cstr(&second));
	assert_null(strstr(first.data, "very-secret"));
	assert_null(strstr(first.data, "hidden"));
	assert_null(strstr(first.data, "query-secret"));
	assert_non_null(strstr(first.data, "p.example:4040/a?b=redacted\""));
	assert_non_null(strstr(first.data, "X-A: \"<redacted>\""));
	assert_int_equal(again->window_ns, c->window_ns);
	assert_int_equal(again->store_max_bytes, c->store_max_bytes);
	assert_int_equal(again->cpu_ppm, c->cpu_ppm);
	assert_string_equal(again->labels.list.data[1].value, c->labels.list.data[1].value);
	assert_string_equal(again->relabel.data[1].regex, c->relabel.data[1].regex);
	assert_string_equal(again->upload.data[1].password_file, "/etc/kiln/pw");
	config_print(&commented, c, false);
	config_free(again);
	again = parse(buf_cstr(&commented));
	assert_non_null(strstr(commented.data, "  frequency: 97  # k.yaml:1\n"));
	config_free(again);
	config_free(c);
	buf_release(&first);
	buf_release(&second);
	buf_release(&commented);
}

static void unknown_and_duplicate_keys(void **state)
{
	(void)state;
	assert_refused("widnow: 10s\n",
		       "k.yaml:1:1: unknown key \"widnow\" (did you mean \"window\"?)\n");
	assert_refused(
		"sampling:\n  frequncy: 19\n",
		"k.yaml:2:3: unknown key \"sampling.frequncy\" (did you mean \"frequency\"?)\n");
	assert_refused("frequency: 19\n", "k.yaml:1:1: unknown key \"frequency\" (did you mean "
					  "\"frequency\" below \"sampling\"?)\n");
	assert_refused("http.tls.key: /k\n",
		       "k.yaml:1:1: unknown key \"http.tls.key\" (did you mean "
		       "\"key\" below \"http.tls\"?)\n");
	assert_refused("zebra: 1\n", "k.yaml:1:1: unknown key \"zebra\"\n");
	assert_refused("<<: {window: 1s}\n", "k.yaml:1:1: unknown key \"<<\"\n");
	assert_refused("window: 10s\nsampling: {frequency: 19}\nwindow: 10s\n",
		       "k.yaml:3:1: duplicate key \"window\" (first in line 1)\n");
	assert_refused("store: {path: /a, path: /b}\n",
		       "k.yaml:1:19: duplicate key \"path\" (first in line 1)\n");
	assert_refused("labels: {a: b, a: c}\n",
		       "k.yaml:1:16: duplicate key \"a\" (first in line 1)\n");
	assert_refused("relabel:\n- {action: drop, source: unit, regexp: x}\n",
		       "k.yaml:2:32: unknown key \"regexp\" (did you mean \"regex\"?)\n");
	assert_refused("upload:\n- {name: a, url: 's3+http://h/b', tokenfile: /x}\n",
		       "k.yaml:2:35: unknown key \"tokenfile\" (did you mean \"token_file\"?)\n");
	/* Several at once. */
	assert_refused("a: 1\nb: 2\n",
		       "k.yaml:1:1: unknown key \"a\"\nk.yaml:2:1: unknown key \"b\"\n");
}

static void wrong_amounts(void **state)
{
	(void)state;
	assert_refused(
		"sampling: {frequency: 1000}\n",
		"k.yaml:1:23: sampling.frequency: \"1000\" is out of range: from 1 to 999\n");
	assert_refused("sampling: {frequency: 0}\n",
		       "k.yaml:1:23: sampling.frequency: \"0\" is out of range: from 1 to 999\n");
	assert_refused(
		"sampling: {frequency: 19Hz}\n",
		"k.yaml:1:23: sampling.frequency: \"19Hz\" is not a whole number such as 19\n");
	assert_refused("sampling: {frequency: 99999999999999999999}\n",
		       "k.yaml:1:23: sampling.frequency: \"99999999999999999999\" is out of range: "
		       "from 1 to 999\n");
	assert_refused("window: 999ms\n",
		       "k.yaml:1:9: window: \"999ms\" is out of range: from 1s to 1h\n");
	assert_refused("window: soon\n",
		       "k.yaml:1:9: window: \"soon\" is not a time such as 10s\n");
	assert_refused("store: {max_size: 15MiB}\n",
		       "k.yaml:1:19: store.max_size: \"15MiB\" is out of range: 16MiB or more\n");
	assert_refused("store: {max_size: 2GiBi}\n",
		       "k.yaml:1:19: store.max_size: \"2GiBi\" is not a size such as 64MiB\n");
	assert_refused("store: {min_free: 1048575}\n",
		       "k.yaml:1:19: store.min_free: \"1048575\" is out of range: 1MiB or more\n");
	assert_refused("limits: {cpu: 1}\n",
		       "k.yaml:1:15: limits.cpu: \"1\" is not a share such as 1%\n");
	assert_refused("limits: {cpu: 101%}\n",
		       "k.yaml:1:15: limits.cpu: \"101%\" is out of range: from 0.01% to 100%\n");
	assert_refused("window: 1h\nstore: {max_age: 30m}\n",
		       "k.yaml:2:9: store.max_age: less than one window\n");
}

static void wrong_kinds(void **state)
{
	(void)state;
	assert_refused("- window\n", "k.yaml:1:1: wants a map of keys, and there is a list\n");
	assert_refused("kiln\n", "k.yaml:1:1: wants a map of keys, and there is a value\n");
	assert_refused("window: [10s]\n",
		       "k.yaml:1:9: window: wants a value, and there is a list\n");
	assert_refused("window:\n", "k.yaml:1:8: window: wants a value, and there is nothing\n");
	assert_refused("store: /var/lib/kiln\n",
		       "k.yaml:1:8: store: wants a map, and there is a value\n");
	assert_refused("labels: [a]\n", "k.yaml:1:9: labels: wants a map, and there is a list\n");
	assert_refused("labels: {a: {b: c}}\n",
		       "k.yaml:1:13: labels: a: wants a text, and there is a map\n");
	assert_refused("relabel: {action: drop}\n",
		       "k.yaml:1:10: relabel: wants a list, and there is a map\n");
	assert_refused("relabel: [drop]\n",
		       "k.yaml:1:11: relabel: wants a map, and there is a value\n");
	assert_refused("http: {hosts: {a: b}}\n",
		       "k.yaml:1:15: http.hosts: wants a list, and there is a map\n");
	assert_refused("? [a, b]\n: c\n", "k.yaml:1:3: a key cannot be a list\n");
}

static void wrong_texts(void **state)
{
	char long_label[2048] = "labels: {a: \"";

	(void)state;
	assert_refused("store: {path: kiln}\n",
		       "k.yaml:1:15: store.path: \"kiln\" is not an absolute path\n");
	assert_refused("log: {level: verbose}\n",
		       "k.yaml:1:14: log.level: \"verbose\" is none of error|warning|info|debug\n");
	assert_refused("log: {format: jsno}\n", "k.yaml:1:15: log.format: \"jsno\" is none of "
						"logfmt|json (did you mean \"json\"?)\n");
	assert_refused("sampling: {exclude_self: yes}\n",
		       "k.yaml:1:26: sampling.exclude_self: \"yes\" is none of false|true\n");
	assert_refused(
		"http: {listen: 7676}\n",
		"k.yaml:1:16: http.listen: \"7676\" is not an address such as 127.0.0.1:7676 "
		"or [::1]:7676, or off\n");
	assert_refused("http: {listen: 'kiln.example:80'}\n",
		       "k.yaml:1:16: http.listen: \"kiln.example:80\" is not an address such as "
		       "127.0.0.1:7676 or [::1]:7676, or off\n");
	assert_refused("http: {listen: '::1:7676'}\n",
		       "k.yaml:1:16: http.listen: \"::1:7676\" is not an address such as "
		       "127.0.0.1:7676 or [::1]:7676, or off\n");
	assert_refused("http: {hosts: ['a b']}\n",
		       "k.yaml:1:16: http.hosts: \"a b\" is no name of a host\n");
	assert_refused(
		"labels: {1a: x}\n",
		"k.yaml:1:10: labels: 1a: \"1a\" is no name of a label: letters, digits, _ and "
		"., at most 64\n");
	assert_refused("labels: {pid: '1'}\n",
		       "k.yaml:1:10: labels: pid: \"pid\" is a label that kiln sets itself\n");
	assert_refused("labels: {a: \"x\\ny\"}\n",
		       "k.yaml:1:10: labels: a: holds control characters\n");
	memset(long_label + strlen(long_label), 'x', 1025);
	strcat(long_label, "\"}\n");
	assert_refused(long_label, "k.yaml:1:10: labels: a: 1025 bytes long: at most 1024\n");
	assert_refused("labels: {a: \"x\\0y\"}\n", "k.yaml:1:13: a NUL byte\n");
}

static void what_belongs_together(void **state)
{
	(void)state;
	assert_refused("http: {listen: '0.0.0.0:7676'}\n",
		       "k.yaml:1:8: http.listen: other hosts can reach 0.0.0.0:7676: set "
		       "http.token_file\n"
		       "k.yaml:1:8: http.listen: other hosts can reach 0.0.0.0:7676: set "
		       "http.tls.cert and http.tls.key, or http.tls.proxy if a proxy does TLS\n");
	assert_refused("http: {tls: {cert: /c}}\n",
		       "k.yaml:1:14: http.tls: cert and key go together\n");
	assert_refused("relabel:\n- {source: unit, regex: a}\n",
		       "k.yaml:2:3: a relabel rule without action: keep|drop|replace\n");
	assert_refused(
		"relabel:\n- {action: keep, source: unit}\n",
		"k.yaml:2:3: a relabel rule that keeps or drops wants a source and a regex\n");
	assert_refused("relabel:\n- {action: replace, source: unit, regex: a}\n",
		       "k.yaml:2:3: a relabel rule that replaces wants a target\n");
	assert_refused("relabel:\n- {action: replace, target: pid, replacement: x}\n",
		       "k.yaml:2:3: target: \"pid\" is a number that kiln sets itself\n");
	assert_refused("upload:\n- {name: a}\n",
		       "k.yaml:2:3: a destination wants a name and a url\n");
	assert_refused("upload:\n- {name: a, url: 'http://h'}\n",
		       "k.yaml:2:18: url: not a URL that says which protocol it takes, such as "
		       "pyroscope+http://HOST:4040\n");
}

static void wrong_expressions(void **state)
{
	static const struct {
		const char *regex, *why;
	} wrong[] = {
		{"a(b", "a regular expression with a parenthesis that is not closed"},
		{"a).*|b", "a regular expression with a parenthesis that is not opened"},
		{"[a", "a regular expression with a [ that is not closed"},
		{"(a)\\\\1", "a regular expression with a back-reference"},
		{"((a{99}){99}){9}", "a regular expression that repeats too much"},
		{"a++", "a regular expression that repeats what is repeated already"},
		{"((((((((((a))))))))))", "a regular expression with more than 9 groups"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		char text[256], wanted[256];

		snprintf(text, sizeof(text),
			 "relabel:\n- {action: drop, source: unit, regex: \"%s\"}\n",
			 wrong[i].regex);
		snprintf(wanted, sizeof(wanted), "k.yaml:2:39: regex: %s\n", wrong[i].why);
		assert_refused(text, wanted);
	}
}

static void wrong_destinations(void **state)
{
	static const struct {
		const char *url, *why;
	} wrong[] = {
		{"pyroscop+http://h",
		 "not a URL that says which protocol it takes, such as "
		 "pyroscope+http://HOST:4040 (did you mean \"pyroscope+http://\"?)"},
		{"otlp+grpc://", "a URL without a host"},
		{"parca+https://me:secret@h",
		 "a URL with a password in it: use username and password_file"},
		{"parca+https://h/a b", "a URL with characters that have to be escaped"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		char text[256], wanted[256];

		snprintf(text, sizeof(text), "upload:\n- {name: a, url: '%s'}\n", wrong[i].url);
		snprintf(wanted, sizeof(wanted), "k.yaml:2:18: url: %s\n", wrong[i].why);
		assert_refused(text, wanted);
	}
	assert_refused(
		"upload:\n- {name: a, url: 's3+http://h/b'}\n- {name: a, url: 's3+http://h/c'}\n",
		"k.yaml:3:3: a second destination \"a\"\n");
	assert_refused("upload:\n- {name: a, url: 's3+http://h/b', username: me}\n",
		       "k.yaml:2:3: username and password_file go together\n");
}

/* --- hostile files ----------------------------------------------------------------------------- */

static void what_is_not_yaml(void **state)
{
	(void)state;
	assert_refused("window: {a\n",
		       "k.yaml:2:1: not YAML: did not find expected ',' or '}', while "
		       "parsing a flow mapping that begins in line 1\n");
	assert_refused("store:\n\tpath: /a\n",
		       "k.yaml:2:1: not YAML: indent with spaces, not tabs\n");
	assert_refused("window: &a 10s\n", "k.yaml:1:9: anchors are not supported: write the value "
					   "out\n");
	assert_refused("window: *a\n",
		       "k.yaml:1:9: aliases are not supported: write the value out\n");
	assert_refused("window: !!str 10s\n", "k.yaml:1:9: tags are not supported\n");
	assert_refused("window: 10s\n---\nwindow: 5s\n",
		       "k.yaml:2:1: a second document: a file has one\n");
	assert_refused("window: 10s\xff\n", "k.yaml:1:12: not UTF-8: byte 0xff\n");
	assert_refused("#\xc3\xa4\nlabels: {a: \xed\xa0\x80}\n",
		       "k.yaml:2:13: not UTF-8: byte 0xed\n");
	assert_refused_n("window: 1\0s\n", 12, "k.yaml:1:10: a NUL byte\n");
	assert_refused_n("\xff\xfe"
			 "a\0:\0",
			 6, "k.yaml:1:1: not UTF-8: byte 0xff\n");
	/* What an editor may put before it is none of the user's mistakes. */
	config_free(parse("\xef\xbb\xbfwindow: 10s\n"));
}

static void what_is_too_much(void **state)
{
	struct buf b = {0};
	char deep[64];

	(void)state;
	for (size_t i = 0; i < CONFIG_MAX_BYTES; i++)
		buf_str(&b, "# ");
	assert_refused_n(b.data, b.len, "k.yaml: larger than 256 KiB\n");
	buf_clear(&b);
	memset(deep, '[', sizeof(deep));
	buf_str(&b, "window: ");
	buf_add(&b, deep, sizeof(deep));
	assert_refused_n(b.data, b.len, "k.yaml:1:24: more than 16 levels deep\n");
	buf_clear(&b);
	buf_str(&b, "labels: [");
	for (int i = 0; i < CONFIG_MAX_NODES; i++)
		buf_str(&b, "a, ");
	buf_str(&b, "]\n");
	assert_refused_n(b.data, b.len, "k.yaml:1:60001: more than 20000 values\n");
	buf_clear(&b);
	buf_str(&b, "labels:\n");
	for (int i = 0; i < 65; i++)
		buf_printf(&b, "  l%d: x\n", i);
	assert_refused_n(b.data, b.len, "k.yaml:66:3: labels: l64: more than 64\n");
	buf_release(&b);
}

static void mistakes_do_not_scroll_away(void **state)
{
	struct config_errors errs = {0};
	struct config *c = NULL;
	struct buf b = {0};
	size_t lines = 0;

	(void)state;
	for (int i = 0; i < 1000; i++)
		buf_printf(&b, "k%d: x\n", i);
	assert_int_equal(config_parse(&c, "k.yaml", b.data, b.len, &errs), -EBADMSG);
	for (const char *s = buf_cstr(&errs.text); *s; s++)
		lines += *s == '\n';
	assert_int_equal(lines, CONFIG_MAX_ERRORS + 1);
	buf_release(&errs.text);
	buf_release(&b);
}

/* --- sources ----------------------------------------------------------------------------------- */

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static struct config *load(const struct config_inputs *in)
{
	struct config_errors errs = {0};
	struct config *c = NULL;

	if (config_load(&c, in, &errs))
		fail_msg("refused: %s", buf_cstr(&errs.text));
	return c;
}

static void assert_load_refused(const struct config_inputs *in, const char *wanted)
{
	struct config_errors errs = {0};
	struct config *c = NULL;

	assert_int_equal(config_load(&c, in, &errs), -EBADMSG);
	assert_string_equal(buf_cstr(&errs.text), wanted);
	buf_release(&errs.text);
}

static void flags_over_variables_over_files(void **state)
{
	char dir[] = "/tmp/kiln-config-XXXXXX", path[64], command[64];
	char *env[] = {"KILN_WINDOW=30s",  "KILN_SAMPLING_FREQUENCY=41", "KILN_LABELS=b=env,c=3",
		       "KILN_STORE_PATH=", "KILN_TEST_MAPPING_EVENTS=1", NULL};
	struct config_override flag = {"--window", CONFIG_KEY_window_ns, "40s"};
	struct config_inputs in = {.path = path};
	struct config *c;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/conf.d", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	write_file(dir, "kiln.yaml",
		   "window: 11s\nsampling: {frequency: 31}\nlimits: {cpu: 2%}\n"
		   "store: {path: /a}\nlabels: {a: 1, b: 2}\n");
	write_file(dir, "conf.d/20.yaml", "limits: {cpu: 4%}\nstore: {max_age: 1d}\n");
	write_file(dir, "conf.d/10.yaml", "limits: {cpu: 3%}\nstore: {max_size: 1GiB}\n");
	write_file(dir, "conf.d/30.yml", "not: read\n");
	snprintf(path, sizeof(path), "%s/kiln.yaml", dir);
	c = load(&in);
	assert_int_equal(c->window_ns, 11000000000);
	assert_int_equal(c->cpu_ppm, 40000);
	assert_string_equal(c->store_path, "/a");
	assert_int_equal(c->store_max_bytes, 1ull << 30);
	assert_int_equal(c->store_max_age_ns, 86400 * 1000000000ull);
	assert_int_equal(c->n_files, 3);
	config_free(c);
	in.env = env;
	in.overrides = &flag;
	in.n_overrides = 1;
	c = load(&in);
	assert_int_equal(c->window_ns, 40000000000);
	assert_string_equal(c->places[CONFIG_KEY_window_ns].source, "--window");
	assert_int_equal(c->frequency_hz, 41);
	assert_string_equal(c->store_path, "/a"); /* an empty variable is none */
	assert_int_equal(c->labels.list.len, 3);
	assert_string_equal(c->labels.list.data[1].value, "env");
	config_free(c);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

static void mistakes_name_their_source(void **state)
{
	char *env[] = {"KILN_WINDOW=1", "KILN_HTTP_LISTEN=x", "KILN_RELABEL=x", "KILN_LABELS=x",
		       NULL};
	struct config_override flag = {"--set window", CONFIG_KEY_window_ns, "soon"};
	struct config_inputs in = {.env = env};

	(void)state;
	assert_load_refused(&in, "KILN_HTTP_LISTEN: http.listen: \"x\" is not an address such as "
				 "127.0.0.1:7676 or [::1]:7676, or off\n"
				 "KILN_LABELS: labels: wants NAME=VALUE,..., not \"x\"\n"
				 "KILN_RELABEL: relabel is set in a file only\n");
	in = (struct config_inputs){.overrides = &flag, .n_overrides = 1};
	assert_load_refused(&in, "--set window: window: \"soon\" is not a time such as 10s\n");
	in = (struct config_inputs){.path = "/nonexistent/kiln.yaml"};
	assert_load_refused(&in,
			    "/nonexistent/kiln.yaml: cannot be read: No such file or directory\n");
	in.path = "/tmp";
	assert_load_refused(&in, "/tmp: is no regular file\n");
	in.path = "/dev/zero";
	assert_load_refused(&in, "/dev/zero: is no regular file\n");
}

/* It would read as an empty file, and all settings as the defaults. */
static void a_fifo_is_no_configuration(void **state)
{
	char dir[] = "/tmp/kiln-test-XXXXXX", fifo[64], wanted[128];
	struct config_inputs in = {.path = fifo};

	assert_non_null(mkdtemp(dir));
	snprintf(fifo, sizeof(fifo), "%s/kiln.yaml", dir);
	snprintf(wanted, sizeof(wanted), "%s: is no regular file\n", fifo);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_load_refused(&in, wanted);
	unlink(fifo);
	*state = rmdir(dir) ? dir : NULL;
}

static void misspelt_variables(void **state)
{
	char *env[] = {"KILN_WINDW=1s",	 "KILN_CACHE_DIR=/x",	 "KILN_PORT_7676_TCP=tcp://1",
		       "KILN_WINDOW=1s", "KILN_SAMPLING_FREQ=7", NULL};
	struct buf b = {0};

	(void)state;
	config_stray_variables(&b, env);
	assert_string_equal(
		buf_cstr(&b),
		"KILN_WINDW sets nothing (did you mean KILN_WINDOW?); KILN_SAMPLING_FREQ "
		"sets nothing (did you mean KILN_SAMPLING_FREQUENCY?)");
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults),
		cmocka_unit_test(every_key),
		cmocka_unit_test(prints_what_it_reads),
		cmocka_unit_test(unknown_and_duplicate_keys),
		cmocka_unit_test(wrong_amounts),
		cmocka_unit_test(wrong_kinds),
		cmocka_unit_test(wrong_texts),
		cmocka_unit_test(what_belongs_together),
		cmocka_unit_test(wrong_expressions),
		cmocka_unit_test(wrong_destinations),
		cmocka_unit_test(what_is_not_yaml),
		cmocka_unit_test(what_is_too_much),
		cmocka_unit_test(mistakes_do_not_scroll_away),
		cmocka_unit_test(flags_over_variables_over_files),
		cmocka_unit_test(mistakes_name_their_source),
		cmocka_unit_test(a_fifo_is_no_configuration),
		cmocka_unit_test(misspelt_variables),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
