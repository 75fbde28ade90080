// SPDX-License-Identifier: GPL-2.0-or-later
/* What Pyroscope and Parca are sent, decoded again and compared with what was to be sent. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"
#include "profiler/formats/compress.h"
#include "profiler/upload/target.h"
#include "proto/grpc.h"
#include "proto/parca.pb-c.h"
#include "proto/pprof.pb-c.h"
#include "proto/push.pb-c.h"
#include "tests/lib/profile_sums.h"
#include "tests/lib/roundtrip.h"
#include "tests/lib/services.h"

static struct upload_target target(const struct upload_kind *kind)
{
	return (struct upload_target){
		.kind = kind, .base = "http://127.0.0.1:1", .path = "", .query = ""};
}

/* --- what is sent, decoded ------------------------------------------------------------------------ */

struct pair {
	const char *name, *value;
};
/* Of all requests of an item. */
struct decoded {
	struct sums sums;
	size_t n_series, n_requests;
	size_t max_raw, max_message, max_in_request, max_samples, max_depth;
	uint64_t samples;
	char ids[4096];
	char *labels; /* of the last series */
};

/* The rules of Parca, which hold for both: ids are 1..n in their order, and all that is referred to is there. */
static void assert_strict(const struct buf *raw)
{
	Pprof__Profile *m = pprof__profile__unpack(NULL, raw->len, (const uint8_t *)raw->data);

	assert_non_null(m);
	for (size_t i = 0; i < m->n_mapping; i++)
		assert_int_equal(m->mapping[i]->id, i + 1);
	for (size_t i = 0; i < m->n_function; i++) {
		assert_int_equal(m->function[i]->id, i + 1);
		assert_in_range(m->function[i]->name, 1, m->n_string_table - 1);
	}
	for (size_t i = 0; i < m->n_location; i++) {
		assert_int_equal(m->location[i]->id, i + 1);
		assert_in_range(m->location[i]->mapping_id, 0, m->n_mapping);
		for (size_t k = 0; k < m->location[i]->n_line; k++)
			assert_in_range(m->location[i]->line[k]->function_id, 1, m->n_function);
	}
	for (size_t i = 0; i < m->n_sample; i++) {
		assert_int_equal(m->sample[i]->n_value, m->n_sample_type);
		for (size_t k = 0; k < m->sample[i]->n_location_id; k++)
			assert_in_range(m->sample[i]->location_id[k], 1, m->n_location);
	}
	assert_int_equal(m->string_table[0].len, 0);
	for (size_t i = 0; i < m->n_string_table; i++)
		assert_int_equal(
			text_utf8_run((char *)m->string_table[i].data, m->string_table[i].len),
			m->string_table[i].len);
	pprof__profile__free_unpacked(m, NULL);
}

static void add_raw(struct decoded *d, const char *prefix, const struct buf *raw)
{
	struct profile *p;

	assert_strict(raw);
	p = imported(raw);
	for (size_t i = 0; i < p->samples.len; i++) {
		size_t depth = p->stacks.data[p->samples.data[i].stack].len;

		sums_add_functions(&d->sums, prefix, p, i);
		d->max_depth = depth > d->max_depth ? depth : d->max_depth;
	}
	d->max_raw = raw->len > d->max_raw ? raw->len : d->max_raw;
	d->max_samples = p->samples.len > d->max_samples ? p->samples.len : d->max_samples;
	d->n_series++;
	profile_free(p);
}

static const char *value_of(const struct pair *labels, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(labels[i].name, name))
			return labels[i].value;
	return NULL;
}

static void add_series(struct decoded *d, const struct pair *labels, size_t n,
		       const ProtobufCBinaryData *raw)
{
	struct buf copy = {.data = (char *)raw->data, .len = raw->len}, text = {0};

	for (size_t i = 0; i < n; i++) {
		buf_printf(&text, "%s=%s;", labels[i].name, labels[i].value);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(labels[i].name, labels[k].name);
	}
	assert_string_equal(value_of(labels, n, "__name__"), "process_cpu");
	assert_non_null(value_of(labels, n, "service_name"));
	add_raw(d, value_of(labels, n, "service_name"), &copy);
	free(d->labels);
	d->labels = buf_take(&text);
}

static void decode_push(struct decoded *d, const struct buf *message)
{
	Push__PushRequest *m =
		push__push_request__unpack(NULL, message->len, (const uint8_t *)message->data);

	assert_non_null(m);
	d->max_in_request = m->n_series > d->max_in_request ? m->n_series : d->max_in_request;
	for (size_t i = 0; i < m->n_series; i++) {
		const Push__RawProfileSeries *s = m->series[i];
		struct pair labels[32];

		assert_in_range(s->n_labels, 1, 30);
		for (size_t k = 0; k < s->n_labels; k++)
			labels[k] = (struct pair){s->labels[k]->name, s->labels[k]->value};
		assert_string_equal(value_of(labels, s->n_labels, "__delta__"), "false");
		assert_int_equal(s->n_samples, 1);
		assert_int_equal(strlen(s->samples[0]->id), 36);
		assert_null(strstr(d->ids, s->samples[0]->id));
		if (strlen(d->ids) + 38 < sizeof(d->ids))
			strcat(strcat(d->ids, s->samples[0]->id), " ");
		add_series(d, labels, s->n_labels, &s->samples[0]->raw_profile);
	}
	push__push_request__free_unpacked(m, NULL);
}

static void decode_write(struct decoded *d, const struct buf *message)
{
	Parca__WriteRawRequest *m = parca__write_raw_request__unpack(
		NULL, message->len, (const uint8_t *)message->data);

	assert_non_null(m);
	assert_true(m->normalized);
	d->max_in_request = m->n_series > d->max_in_request ? m->n_series : d->max_in_request;
	for (size_t i = 0; i < m->n_series; i++) {
		const Parca__RawProfileSeries *s = m->series[i];
		struct pair labels[32];

		for (size_t k = 0; k < s->labels->n_labels; k++)
			labels[k] = (struct pair){s->labels->labels[k]->name,
						  s->labels->labels[k]->value};
		assert_int_equal(s->n_samples, 1);
		add_series(d, labels, s->labels->n_labels, &s->samples[0]->raw_profile);
	}
	parca__write_raw_request__free_unpacked(m, NULL);
}

static void assert_request(const struct upload_target *t, const struct upload_request *r)
{
	bool is_parca = t->kind == &upload_parca;
	struct buf headers = {0};

	for (size_t i = 0; i < r->headers.len; i++)
		buf_printf(&headers, "%s\n", r->headers.data[i]);
	assert_string_equal(r->method, "POST");
	assert_int_equal(r->version, is_parca ? NET_HTTP2 : NET_HTTP1);
	assert_string_equal(buf_cstr(&headers),
			    is_parca ? "Content-Type: application/grpc+proto\nTE: trailers\n"
				       "grpc-encoding: gzip\ngrpc-accept-encoding: identity\n"
				     : "Content-Type: application/proto\nContent-Encoding: gzip\n"
				       "Connect-Protocol-Version: 1\n");
	buf_release(&headers);
}

static void decode(struct decoded *d, const struct upload_target *t, const struct upload_request *r)
{
	struct bytes in = bytes_of(r->body.data, r->body.len);
	struct buf message = {0};
	const char *why;

	assert_request(t, r);
	if (t->kind == &upload_parca) { /* one frame, compressed */
		assert_int_equal(bytes_u8(&in), 1);
		assert_int_equal(__builtin_bswap32(bytes_u32(&in)), r->body.len - 5);
	}
	assert_int_equal(decompress(&message, in.p, bytes_left(&in), 1 << 30, &why), 0);
	d->max_message = message.len > d->max_message ? message.len : d->max_message;
	d->samples += r->samples;
	if (t->kind == &upload_parca)
		decode_write(d, &message);
	else
		decode_push(d, &message);
	buf_release(&message);
}

static void release(struct upload_requests *r)
{
	for (size_t i = 0; i < r->v.len; i++) {
		free(r->v.data[i].url);
		for (size_t k = 0; k < r->v.data[i].headers.len; k++)
			free(r->v.data[i].headers.data[k]);
		vec_release(&r->v.data[i].headers);
		buf_release(&r->v.data[i].body);
	}
	vec_release(&r->v);
}

static struct decoded sent(const struct upload_target *t, const struct profile *p)
{
	struct upload_item item = {.profile = p, .host = "h", .id = {0x1122334455667788, 42}};
	struct upload_requests requests = {0};
	struct decoded d = {0};
	struct why why = {0};

	assert_int_equal(t->kind->pack(t, &item, &requests, &why), 0);
	d.n_requests = requests.v.len;
	for (size_t i = 0; i < requests.v.len; i++)
		decode(&d, t, &requests.v.data[i]);
	release(&requests);
	return d;
}

/* --- profiles ---------------------------------------------------------------------------------------- */

static void assert_sent(const struct upload_kind *kind, const struct profile *p)
{
	struct upload_target t = target(kind);
	struct decoded d = sent(&t, p);
	struct sums sums = {0};
	char *want, *got;

	for (size_t i = 0; i < p->samples.len; i++)
		sums_add_functions(&sums, expected_service(p, p->samples.data[i].labelset), p, i);
	want = sums_print(&sums);
	got = sums_print(&d.sums);
	assert_string_equal(got, want);
	assert_int_equal(d.samples, profile_weight(p));
	free(want);
	free(got);
	free(d.labels);
}

static const struct upload_kind *const kinds[] = {&upload_pyroscope, &upload_parca};
static void totals_arrive(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 10; seed++) {
		struct profile *p = random_profile(seed, 150);

		for (size_t k = 0; k < 2; k++)
			assert_sent(kinds[k], p);
		profile_free(p);
	}
}

/* Each sample has its own function, whose name has `len` bytes. */
static struct profile *large_profile(uint32_t n, size_t len)
{
	struct profile *p = profile_new();
	uint32_t m, none;
	char *name = malloc(len + 1);

	assert_true(p && name);
	MUST(profile_init_cpu(p, 1000));
	p->time_ns = 1700000000000000000;
	p->duration_ns = 1000;
	m = mapping_id(p, "/usr/bin/large", "00ff", true);
	MUST(profile_labelset(p, NULL, 0, &none));
	memset(name, 'x', len);
	name[len] = '\0';
	for (uint32_t i = 0; i < n; i++) {
		uint32_t f, stack;

		snprintf(name, 12, "%011u", i);
		name[11] = len > 11 ? 'x' : '\0';
		f = location_id(p, m, 0x1000 + i, name);
		MUST(profile_stack(p, &f, 1, &stack));
		MUST(profile_add(p, stack, none, (int64_t[]){1, 1000}));
	}
	free(name);
	return p;
}

static void large_windows_are_split(void **state)
{
	struct profile *many = large_profile(40000, 11), *large = large_profile(2500, 3000);

	(void)state;
	for (size_t k = 0; k < 2; k++) {
		struct upload_target t = target(kinds[k]);
		bool is_parca = kinds[k] == &upload_parca;
		struct decoded a = sent(&t, many), b = sent(&t, large);

		assert_int_equal(a.samples, 40000);
		assert_int_equal(b.samples, 2500);
		assert_true(a.n_series >= 3 && b.n_series >= 3);
		assert_in_range(a.max_samples, 2, 15999);
		assert_in_range(a.max_raw, 1, is_parca ? 4 << 20 : 1999999);
		assert_in_range(b.max_raw, 1, is_parca ? 4 << 20 : 1999999);
		assert_in_range(b.max_message, 1, is_parca ? 4 << 20 : 1999999);
		free(sums_print(&a.sums));
		free(sums_print(&b.sums));
		free(a.labels);
		free(b.labels);
	}
	profile_free(many);
	profile_free(large);
}

static void deep_stacks_keep_their_leaf(void **state)
{
	struct profile *p = profile_new();
	uint32_t m, none, frames[3000], stack;
	char name[16];

	(void)state;
	MUST(profile_init_cpu(p, 1000));
	m = mapping_id(p, "/usr/bin/deep", "00ff", true);
	MUST(profile_labelset(p, NULL, 0, &none));
	for (uint32_t i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		frames[i] = location_id(p, m, 0x1000 + i, name);
	}
	MUST(profile_stack(p, frames, 3000, &stack));
	MUST(profile_add(p, stack, none, (int64_t[]){5, 5000}));
	for (size_t k = 0; k < 2; k++) {
		struct upload_target t = target(kinds[k]);
		struct decoded d = sent(&t, p);
		char *text = sums_print(&d.sums);

		assert_in_range(d.max_depth, 900, 999);
		assert_non_null(strstr(text, "unknown_service self f0 5 5000 "));
		assert_non_null(strstr(text, "unknown_service total " FRAME_TRUNCATED " 5 5000 "));
		free(text);
		free(d.labels);
	}
	profile_free(p);
}

static struct profile *profile_of_services(uint32_t n)
{
	struct profile *p = profile_new();
	uint32_t f, stack;

	assert_non_null(p);
	MUST(profile_init_cpu(p, 1000));
	f = location_id(p, mapping_id(p, "/usr/bin/a", "00ff", true), 0x10, "main");
	MUST(profile_stack(p, &f, 1, &stack));
	for (uint32_t i = 0; i < n; i++) {
		struct profile_label l[3] = {{.key = str_id(p, "service_name")},
					     {.key = str_id(p, "pod")},
					     {.key = str_id(p, "pid"), .str = PROFILE_NONE}};
		char name[16];
		uint32_t set;

		snprintf(name, sizeof(name), "s%02u", i);
		l[0].str = str_id(p, name);
		l[1].str = str_id(p, "web-1");
		l[2].num = i;
		MUST(profile_labelset(p, l, 3, &set));
		MUST(profile_add(p, stack, set, (int64_t[]){1, 1000}));
	}
	return p;
}

static void requests_have_few_series(void **state)
{
	struct profile *p = profile_of_services(50);
	struct upload_target pyroscope = target(&upload_pyroscope), parca = target(&upload_parca);
	struct decoded a = sent(&pyroscope, p), b = sent(&parca, p);

	(void)state;
	assert_int_equal(a.n_series, 50);
	assert_int_equal(a.n_requests, 4);
	assert_int_equal(a.max_in_request, 16);
	assert_string_equal(
		a.labels,
		"__name__=process_cpu;__delta__=false;host=h;pod=web-1;service_name=s49;");
	/* Parca takes a request as a whole or not at all. */
	assert_int_equal(b.n_requests, 1);
	assert_string_equal(b.labels, "__name__=process_cpu;host=h;pod=web-1;service_name=s49;");
	free(sums_print(&a.sums));
	free(sums_print(&b.sums));
	free(a.labels);
	free(b.labels);
	profile_free(p);
}

static void requests_are_the_same_each_time(void **state)
{
	struct profile *p = profile_of_services(3);
	struct upload_target t = target(&upload_pyroscope);
	struct decoded a = sent(&t, p), b = sent(&t, p);

	(void)state;
	assert_string_equal(a.ids, b.ids);
	assert_int_equal(strlen(a.ids), 3 * 37);
	assert_memory_equal(a.ids, "11223344-5566-8788-8000-00000000002a ", 37);
	free(sums_print(&a.sums));
	free(sums_print(&b.sums));
	free(a.labels);
	free(b.labels);
	profile_free(p);
}

static void urls_keep_their_path(void **state)
{
	struct profile *p = profile_of_services(1);
	struct upload_item item = {.profile = p, .host = "h"};
	struct upload_requests requests = {0};
	struct upload_target t = target(&upload_pyroscope);
	struct why why;

	(void)state;
	t.path = "/front/pyroscope/";
	assert_int_equal(upload_pyroscope.pack(&t, &item, &requests, &why), 0);
	assert_string_equal(requests.v.data[0].url,
			    "http://127.0.0.1:1/front/pyroscope/push.v1.PusherService/Push");
	release(&requests);
	t = target(&upload_parca);
	assert_int_equal(upload_parca.pack(&t, &item, &requests, &why), 0);
	assert_string_equal(
		requests.v.data[0].url,
		"http://127.0.0.1:1/parca.profilestore.v1alpha1.ProfileStoreService/WriteRaw");
	release(&requests);
	profile_free(p);
}

static void what_makes_no_sense_is_refused(void **state)
{
	struct profile *p = profile_of_services(1);
	struct upload_item item = {.profile = p, .host = "h"};
	struct upload_requests requests = {0};
	struct why why;

	(void)state;
	p->values.data[0] = -1;
	for (size_t k = 0; k < 2; k++) {
		struct upload_target t = target(kinds[k]);

		assert_int_equal(kinds[k]->pack(&t, &item, &requests, &why), -EINVAL);
		assert_non_null(strstr(why.text, "negative"));
		assert_int_equal(requests.v.len, 0);
		assert_int_equal(kinds[k]->check(&t, &why), 0);
		t.path = "/";
		assert_int_equal(kinds[k]->check(&t, &why), 0);
		t.query = "a=b";
		assert_int_equal(kinds[k]->check(&t, &why), -EINVAL);
		t.query = "";
		t.without_names = true;
		assert_int_equal(kinds[k]->check(&t, &why),
				 kinds[k] == &upload_parca ? 0 : -EINVAL);
	}
	profile_free(p);
}

static void names_may_stay_behind(void **state)
{
	struct profile *p = profile_of_services(1);
	struct upload_target t = target(&upload_parca);
	struct decoded d;
	char *text;

	(void)state;
	t.without_names = true;
	d = sent(&t, p);
	text = sums_print(&d.sums);
	assert_string_equal(text, "s00 self [a]+0x10 1 1000 0 0\ns00 total [a]+0x10 1 1000 0 0\n");
	free(text);
	free(d.labels);
	profile_free(p);
}

/* --- go tool pprof ----------------------------------------------------------------------------------- */

static struct upload_requests packed(const struct upload_kind *kind, const struct profile *p)
{
	struct upload_item item = {.profile = p, .host = "h"};
	struct upload_target t = target(kind);
	struct upload_requests requests = {0};
	struct why why;

	assert_int_equal(kind->pack(&t, &item, &requests, &why), 0);
	return requests;
}

static void write_file(const char *path, const void *data, size_t len)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static char *go_top(const char *files)
{
	char command[256], chunk[4096];
	struct buf out = {0};
	size_t n;
	FILE *f;

	snprintf(command, sizeof(command),
		 "go tool pprof -symbolize=none -sample_index=samples -nodecount=1000000 "
		 "-nodefraction=0 -top %s 2>/dev/null | sed -n '/flat%%/,$p' | LC_ALL=C sort",
		 files);
	f = popen(command, "re");
	assert_non_null(f);
	while ((n = fread(chunk, 1, sizeof(chunk), f)))
		buf_add(&out, chunk, n);
	pclose(f);
	return buf_take(&out);
}

/* What is sent, merged by another program, is what that program sees in the whole. */
static void go_sees_the_same_totals(void **state)
{
	char dir[] = "/tmp/kiln-push-XXXXXX", path[64], files[64], command[64];
	struct profile *p = large_profile(3000, 40);
	struct upload_requests requests;
	struct buf whole, message = {0};
	Push__PushRequest *m;
	const char *why;
	char *want, *got;

	(void)state;
	if (system("go tool pprof -h 2>&1 | grep -q -e -traces")) {
		profile_free(p);
		print_message("SKIP: no `go tool pprof`\n");
		skip();
	}
	assert_non_null(mkdtemp(dir));
	whole = exported(p, EXPORT_PPROF_GZ);
	snprintf(path, sizeof(path), "%s/whole", dir);
	write_file(path, whole.data, whole.len);
	requests = packed(&upload_pyroscope, p);
	assert_int_equal(requests.v.len, 1);
	assert_int_equal(decompress(&message, requests.v.data[0].body.data,
				    requests.v.data[0].body.len, 1 << 30, &why),
			 0);
	m = push__push_request__unpack(NULL, message.len, (const uint8_t *)message.data);
	assert_non_null(m);
	for (size_t i = 0; i < m->n_series; i++) {
		const ProtobufCBinaryData *raw = &m->series[i]->samples[0]->raw_profile;

		snprintf(files, sizeof(files), "%s/part%zu", dir, i);
		write_file(files, raw->data, raw->len);
	}
	snprintf(files, sizeof(files), "%s/part*", dir);
	want = go_top(path);
	got = go_top(files);
	assert_true(strlen(want) > 3000 * 40);
	assert_string_equal(got, want);
	free(want);
	free(got);
	push__push_request__free_unpacked(m, NULL);
	buf_release(&message);
	buf_release(&whole);
	release(&requests);
	profile_free(p);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(totals_arrive),
		cmocka_unit_test(large_windows_are_split),
		cmocka_unit_test(deep_stacks_keep_their_leaf),
		cmocka_unit_test(requests_have_few_series),
		cmocka_unit_test(requests_are_the_same_each_time),
		cmocka_unit_test(urls_keep_their_path),
		cmocka_unit_test(what_makes_no_sense_is_refused),
		cmocka_unit_test(names_may_stay_behind),
		cmocka_unit_test(go_sees_the_same_totals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
