// SPDX-License-Identifier: GPL-2.0-or-later
/* Profiles as OpenTelemetry's, unpacked again: totals, the format's rules, names, services. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "profiler/upload/otlp_dictionary.h"
#include "tests/lib/otlp.h"

/* --- the schema ---------------------------------------------------------------------------------- */

static uint32_t field(const ProtobufCMessageDescriptor *m, const char *name)
{
	return protobuf_c_message_descriptor_get_field_by_name(m, name)->id;
}

/* The numbers of github.com/open-telemetry/opentelemetry-proto since 1.10. */
static void numbers_are_those_of_the_format(void **state)
{
	(void)state;
#define X(constant, number, name)                                                                  \
	assert_int_equal(field(&otlp__profiles_dictionary__descriptor, name), constant);
	OTLP_TABLES(X)
#undef X
	assert_int_equal(field(&otlp__sample__descriptor, "stack_index"), 1);
	assert_int_equal(field(&otlp__sample__descriptor, "attribute_indices"), 2);
	assert_int_equal(field(&otlp__sample__descriptor, "values"), 4);
	assert_int_equal(field(&otlp__profile__descriptor, "profile_id"), 7);
	assert_int_equal(field(&otlp__export_profiles_service_request__descriptor, "dictionary"),
			 2);
}

/* --- totals and rules ---------------------------------------------------------------------------- */

static void functions_weigh_the_same(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 60; seed++) {
		struct profile *p = random_profile(seed, (uint32_t)seed * 8);
		struct otlp_requests r = encoded(p, &plain);

		assert_int_equal(r.v.len, p->samples.len > 0);
		assert_same_totals(p, &r, 0, "samples");
		if (r.v.len)
			assert_int_equal(r.v.data[0].samples, profile_weight(p));
		otlp_requests_release(&r);
		profile_free(p);
	}
}

static void the_same_profile_gives_the_same_bytes(void **state)
{
	struct profile *p = random_profile(1, 100), *q = random_profile(1, 100);
	struct otlp_opts other = plain;
	struct otlp_requests a = encoded(p, &plain), b = encoded(q, &plain), c;

	(void)state;
	assert_int_equal(a.v.data[0].body.len, b.v.data[0].body.len);
	assert_memory_equal(a.v.data[0].body.data, b.v.data[0].body.data, a.v.data[0].body.len);
	other.id[0] = 7;
	c = encoded(p, &other);
	assert_int_equal(a.v.data[0].body.len, c.v.data[0].body.len);
	assert_memory_not_equal(a.v.data[0].body.data, c.v.data[0].body.data, a.v.data[0].body.len);
	otlp_requests_release(&a);
	otlp_requests_release(&b);
	otlp_requests_release(&c);
	profile_free(p);
	profile_free(q);
}

/* --- profiles made by hand ----------------------------------------------------------------------- */

/* A stack of the kernel's, JIT's and two files' functions, one of them without a name. */
static struct profile *mixed_profile(void)
{
	struct profile *p = cpu_profile();
	uint32_t frames[5];

	MUST(profile_plain_location(p, MAPPING_KERNEL, "sys_read", &frames[0]));
	frames[1] =
		location_id(p, mapping_id(p, "/usr/lib/libc.so.6", "aa01", true), 0x1200, "read");
	frames[2] = location_id(p, mapping_id(p, MAPPING_JIT, "", true), 0, "compiled");
	frames[3] = location_id(p, mapping_id(p, "/usr/bin/app", "bb02", false), 0x4321, NULL);
	frames[4] = location_id(p, mapping_id(p, MAPPING_UNKNOWN, "", false), 0, NULL);
	add(p, frames, 5, NULL, 0, 3);
	return p;
}

static void frames_have_names_and_types(void **state)
{
	struct profile *p = mixed_profile();
	otlp_message *m = only_message(p, &plain);
	char *text = frames_text(m, only_profile(m)->samples[0]->stack_index);

	(void)state;
	assert_string_equal(text, "0x0|sys_read|[kernel.kallsyms]|kernel "
				  "0x1200|read|/usr/lib/libc.so.6|native "
				  "0x0|compiled|[jit]| "
				  "0x4321|[app]+0x4321|/usr/bin/app|native "
				  "0x0|[unknown]|[unknown]|");
	free(text);
	otlp_message_free(m);
	profile_free(p);
}

static void without_names_only_files_lose_theirs(void **state)
{
	struct profile *p = mixed_profile();
	struct otlp_opts o = plain;
	otlp_message *m;
	char *text;

	(void)state;
	o.without_names = true;
	m = only_message(p, &o);
	text = frames_text(m, only_profile(m)->samples[0]->stack_index);
	assert_string_equal(text, "0x0|sys_read|[kernel.kallsyms]|kernel "
				  "0x1200|/usr/lib/libc.so.6|native "
				  "0x0|compiled|[jit]| "
				  "0x4321|/usr/bin/app|native "
				  "0x0|[unknown]|[unknown]|");
	for (size_t i = 0; i < m->dictionary->n_string_table; i++)
		assert_string_not_equal(string_of(m, (int32_t)i), "read");
	free(text);
	otlp_message_free(m);
	profile_free(p);
}

/* Two windows may have named an address differently. Without names it is one place. */
static void without_names_places_are_one(void **state)
{
	struct profile *p = cpu_profile();
	uint32_t m = mapping_id(p, "/usr/bin/app", "bb02", false);
	uint32_t a = location_id(p, m, 0x10, "f"), b = location_id(p, m, 0x10, NULL);
	struct otlp_opts o = plain;
	otlp_message *message;

	(void)state;
	o.without_names = true;
	add(p, &a, 1, NULL, 0, 3);
	add(p, &b, 1, NULL, 0, 4);
	message = only_message(p, &o);
	assert_int_equal(only_profile(message)->n_samples, 1);
	assert_int_equal(only_profile(message)->samples[0]->values[0], 7);
	otlp_message_free(message);
	profile_free(p);
}

static void inlined_calls_are_lines(void **state)
{
	struct profile *p = cpu_profile();
	struct profile_line lines[2] = {{function_id(p, "inner", "a.c"), 7},
					{function_id(p, "outer", "b.c"), 9}};
	const Otlp__Location *l;
	const Otlp__Function *f;
	otlp_message *m;
	uint32_t id;

	(void)state;
	MUST(profile_location(p, mapping_id(p, "/bin/x", "cc", true), 0x99, lines, 2, &id));
	add(p, &id, 1, NULL, 0, 1);
	m = only_message(p, &plain);
	l = m->dictionary->location_table[1];
	assert_int_equal(l->n_lines, 2);
	assert_int_equal(l->lines[0]->line, 7);
	assert_int_equal(l->lines[1]->line, 9);
	f = m->dictionary->function_table[l->lines[0]->function_index];
	assert_string_equal(string_of(m, f->name_strindex), "inner");
	assert_string_equal(string_of(m, f->filename_strindex), "a.c");
	otlp_message_free(m);
	profile_free(p);
}

static void a_cpu_profile_has_its_type_time_and_build_ids(void **state)
{
	struct profile *p = mixed_profile();
	otlp_message *m = only_message(p, &plain);
	const Otlp__Profile *o = only_profile(m);

	(void)state;
	assert_string_equal(string_of(m, o->sample_type->type_strindex), "samples");
	assert_string_equal(string_of(m, o->sample_type->unit_strindex), "count");
	assert_string_equal(string_of(m, o->period_type->type_strindex), "cpu");
	assert_string_equal(string_of(m, o->period_type->unit_strindex), "nanoseconds");
	assert_int_equal(o->period, PERIOD);
	assert_int_equal(o->time_unix_nano, 1700000000000000000);
	assert_int_equal(o->duration_nano, 10000000000);
	assert_int_equal(o->samples[0]->values[0], 3);
	for (size_t i = 1; i < m->dictionary->n_mapping_table; i++) {
		const Otlp__Mapping *map = m->dictionary->mapping_table[i];
		const char *id = attribute_of(m, map->attribute_indices, map->n_attribute_indices,
					      "process.executable.build_id.gnu");
		const char *file = string_of(m, map->filename_strindex);

		assert_string_equal(id, strstr(file, "libc")  ? "aa01"
					: strstr(file, "app") ? "bb02"
							      : "");
	}
	otlp_message_free(m);
	profile_free(p);
}

/* Other values than samples times period: each type is a Profile. */
static void other_types_are_profiles_of_their_own(void **state)
{
	struct profile *p = profile_new();
	int64_t first[2] = {3, 4096}, second[2] = {0, 17};
	struct otlp_requests r;
	uint32_t stacks[2], set, l;

	(void)state;
	MUST(profile_add_sample_type(p, "alloc_objects", "count"));
	MUST(profile_add_sample_type(p, "alloc_space", "bytes"));
	l = location_id(p, mapping_id(p, "/bin/x", "cc", true), 0x99, "f");
	MUST(profile_stack(p, &l, 1, &stacks[0]));
	MUST(profile_stack(p, NULL, 0, &stacks[1]));
	MUST(profile_labelset(p, NULL, 0, &set));
	MUST(profile_add(p, stacks[0], set, first));
	MUST(profile_add(p, stacks[1], set, second));
	r = encoded(p, &plain);
	assert_int_equal(r.v.len, 1);
	assert_int_equal(r.v.data[0].profiles, 2);
	assert_int_equal(r.v.data[0].samples, 3);
	assert_same_totals(p, &r, 0, "alloc_objects");
	assert_same_totals(p, &r, 1, "alloc_space");
	otlp_requests_release(&r);
	profile_free(p);
}

/* --- services ------------------------------------------------------------------------------------ */

struct service_sum {
	const char *service;
	int64_t samples;
	size_t profiles;
};

static void sum_service(void *ctx, const otlp_message *m, const Otlp__Resource *resource,
			const Otlp__Profile *p)
{
	struct service_sum *s = ctx;

	(void)m;
	if (strcmp(otlp_resource_text(resource, "service.name"), s->service) != 0)
		return;
	s->profiles++;
	for (size_t i = 0; i < p->n_samples; i++)
		s->samples += p->samples[i]->values[0];
}

static void assert_service(const otlp_message *m, const char *service, int64_t samples)
{
	struct service_sum s = {service, 0, 0};

	otlp_each(m, sum_service, &s);
	assert_int_equal(s.profiles, 1);
	assert_int_equal(s.samples, samples);
}

static void each_service_is_a_resource(void **state)
{
	struct profile *p = cpu_profile();
	uint32_t l = location_id(p, mapping_id(p, "/bin/x", "cc", true), 0x99, "f");
	struct profile_label web[] = {text_label(p, "service_name", "web"),
				      text_label(p, "comm", "a"), number_label(p, "pid", 4)};
	struct profile_label web2[] = {text_label(p, "service_name", "web"),
				       text_label(p, "comm", "b"), number_label(p, "pid", 5)};
	struct profile_label pod[] = {
		text_label(p, "pod", "pay-1"), text_label(p, "namespace", "shop"),
		text_label(p, "container_name", "pay"), text_label(p, "container", "0123456789ab")};
	struct profile_label login[] = {text_label(p, "unit", "session-3.scope"),
					text_label(p, "executable", "/usr/bin/make"),
					text_label(p, "comm", "cc1")};
	struct profile_label unit[] = {text_label(p, "unit", "cron.service")};
	struct profile_label comm[] = {text_label(p, "comm", "kworker")};
	const Otlp__Resource *r;
	otlp_message *m;

	(void)state;
	add(p, &l, 1, web, 3, 1);
	add(p, &l, 1, web2, 3, 2);
	add(p, &l, 1, pod, 4, 4);
	add(p, &l, 1, login, 3, 8);
	add(p, &l, 1, unit, 1, 16);
	add(p, &l, 1, comm, 1, 32);
	add(p, &l, 1, NULL, 0, 64);
	m = only_message(p, &plain);
	assert_int_equal(m->n_resource_profiles, 6);
	assert_service(m, "web", 3);
	assert_service(m, "pay", 4);
	assert_service(m, "make", 8);
	assert_service(m, "cron.service", 16);
	assert_service(m, "kworker", 32);
	assert_service(m, "unknown_service", 64);
	/* Threads and processes of a service are one sample: its labels name no thread. */
	assert_int_equal(m->resource_profiles[0]->scope_profiles[0]->profiles[0]->n_samples, 1);
	r = m->resource_profiles[1]->resource;
	assert_string_equal(otlp_resource_text(r, "host.name"), "box");
	assert_string_equal(otlp_resource_text(r, "os.type"), "linux");
	assert_string_equal(otlp_resource_text(r, "k8s.pod.name"), "pay-1");
	assert_string_equal(otlp_resource_text(r, "k8s.namespace.name"), "shop");
	assert_string_equal(otlp_resource_text(r, "k8s.container.name"), "pay");
	assert_string_equal(otlp_resource_text(r, "container.id"), "0123456789ab");
	otlp_message_free(m);
	profile_free(p);
}

/* Whoever put it there wants to find it. */
static void labels_of_others_are_attributes(void **state)
{
	struct profile *p = cpu_profile();
	uint32_t l = location_id(p, mapping_id(p, "/bin/x", "cc", true), 0x99, "f");
	struct profile_label labels[] = {text_label(p, "team", "red"), number_label(p, "bytes", 7),
					 text_label(p, "comm", "x")};
	struct profile_label blue[] = {text_label(p, "team", "blue"), text_label(p, "comm", "x")};
	const Otlp__Profile *o;
	otlp_message *m;

	(void)state;
	add(p, &l, 1, labels, 3, 1);
	add(p, &l, 1, blue, 2, 2);
	m = only_message(p, &plain);
	o = only_profile(m);
	assert_int_equal(o->n_samples, 2);
	for (size_t i = 0; i < 2; i++) {
		const Otlp__Sample *s = o->samples[i];

		assert_int_equal(s->n_attribute_indices, 1);
		assert_string_equal(attribute_of(m, s->attribute_indices, 1, "team"),
				    s->values[0] == 1 ? "red" : "blue");
	}
	otlp_message_free(m);
	profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_those_of_the_format),
		cmocka_unit_test(functions_weigh_the_same),
		cmocka_unit_test(the_same_profile_gives_the_same_bytes),
		cmocka_unit_test(frames_have_names_and_types),
		cmocka_unit_test(without_names_only_files_lose_theirs),
		cmocka_unit_test(without_names_places_are_one),
		cmocka_unit_test(inlined_calls_are_lines),
		cmocka_unit_test(a_cpu_profile_has_its_type_time_and_build_ids),
		cmocka_unit_test(other_types_are_profiles_of_their_own),
		cmocka_unit_test(each_service_is_a_resource),
		cmocka_unit_test(labels_of_others_are_attributes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
