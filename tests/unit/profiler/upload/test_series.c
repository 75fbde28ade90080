// SPDX-License-Identifier: GPL-2.0-or-later
/* A window divided into series: nothing is lost, limits hold, and what is cut is marked. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "profiler/base/text.h"
#include "profiler/upload/series.h"
#include "profiler/upload/series_priv.h"
#include "tests/lib/profile_sums.h"
#include "tests/lib/got_series.h"
#include "tests/lib/services.h"

static const char *const default_labels[] = UPLOAD_SERIES_LABELS;

/* --- what is expected, by another way ----------------------------------------------------------- */

static const char *string_label(const struct profile *p, uint32_t labelset, const char *key)
{
	const struct profile_labelset *set = &p->labelsets.data[labelset];

	for (uint32_t i = 0; i < set->len; i++) {
		const struct profile_label *l = &p->labels.data[set->first + i];

		if (l->str != PROFILE_NONE && !strcmp(profile_text(p, l->key), key))
			return profile_text(p, l->str);
	}
	return NULL;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "comm=x;service_name=y;": the labels of a sample's series, by name. */
static void expected_labels(struct buf *b, const struct profile *p, uint32_t labelset)
{
	const char *names[SERIES_MAX_LABELS] = {NULL};
	size_t n = 0;

	for (; default_labels[n]; n++)
		names[n] = default_labels[n];
	qsort(names, n, sizeof(*names), compare_names);
	for (size_t i = 0; i < n; i++) {
		const char *value = string_label(p, labelset, names[i]);

		value = strcmp(names[i], "service_name") ? value : expected_service(p, labelset);
		if (value)
			buf_printf(b, "%s=%s;", names[i], value);
	}
}

/* --- what there is -------------------------------------------------------------------------------- */

static void series_text(struct buf *b, const struct got *s)
{
	for (size_t i = 0; i < s->labels.v.len; i++)
		buf_printf(b, "%s=%s;", s->labels.v.data[i].name, s->labels.v.data[i].value);
}

static void add_sums(struct sums *sums, const char *prefix, const struct profile *p, size_t i,
		     bool by_function)
{
	sums_add(sums, prefix, p, i);
	if (by_function)
		sums_add_functions(sums, prefix, p, i);
}

static char *sums_of_source(const struct profile *p, bool by_function)
{
	struct sums sums = {0};
	struct buf labels = {0};

	for (size_t i = 0; i < p->samples.len; i++) {
		buf_clear(&labels);
		expected_labels(&labels, p, p->samples.data[i].labelset);
		add_sums(&sums, buf_cstr(&labels), p, i, by_function);
	}
	buf_release(&labels);
	return sums_print(&sums);
}

static char *sums_of_series(const struct got_list *list, bool by_function)
{
	struct sums sums = {0};
	struct buf labels = {0};

	for (size_t k = 0; k < list->v.len; k++) {
		const struct profile *p = list->v.data[k].profile;

		buf_clear(&labels);
		series_text(&labels, &list->v.data[k]);
		for (size_t i = 0; i < p->samples.len; i++)
			add_sums(&sums, buf_cstr(&labels), p, i, by_function);
	}
	buf_release(&labels);
	return sums_print(&sums);
}

static void assert_name(const char *name)
{
	assert_true(*name && !(*name >= '0' && *name <= '9'));
	assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_"),
			 strlen(name));
	assert_false(text_has_prefix(name, "__"));
	assert_in_range(strlen(name), 1, SERIES_MAX_NAME);
}

static const char *label_of(const struct got *s, const char *name)
{
	for (size_t i = 0; i < s->labels.v.len; i++)
		if (!strcmp(s->labels.v.data[i].name, name))
			return s->labels.v.data[i].value;
	return NULL;
}

static void assert_labels(const struct got *s)
{
	assert_in_range(s->labels.v.len, 1, SERIES_MAX_LABELS);
	assert_non_null(label_of(s, "service_name"));
	for (size_t i = 0; i < s->labels.v.len; i++) {
		const struct series_label *l = &s->labels.v.data[i];

		assert_name(l->name);
		assert_in_range(strlen(l->value), 1, SERIES_MAX_VALUE);
		assert_true(text_is_clean(l->value, strlen(l->value)));
		if (i)
			assert_true(strcmp(l[-1].name, l->name) < 0);
	}
}

static void assert_limits(const struct got *s, const struct series_opts *o)
{
	const struct profile *p = s->profile;

	assert_true(p->samples.len);
	if (o->max_samples)
		assert_in_range(p->samples.len, 1, o->max_samples);
	if (o->max_bytes)
		assert_in_range(s->raw.len, 1, o->max_bytes);
	for (size_t i = 0; o->max_depth && i < p->stacks.len; i++)
		assert_in_range(p->stacks.data[i].len, 0, o->max_depth);
	assert_int_equal(p->labels.len, 0);
	for (uint32_t i = 0; o->name_all && i < p->locations.len; i++) {
		const struct profile_location *l = &p->locations.data[i];

		assert_true(l->n_lines);
		for (uint32_t k = 0; k < l->n_lines; k++)
			assert_true(
				p->functions.data[p->lines.data[l->first_line + k].function].name);
	}
}

static void assert_split(const struct profile *p, const struct series_opts *o, bool by_function)
{
	struct got_list list = got_split(p, o);
	char *want, *got;

	for (size_t i = 0; i < list.v.len; i++) {
		assert_labels(&list.v.data[i]);
		assert_limits(&list.v.data[i], o);
		assert_int_equal(list.v.data[i].profile->time_ns, p->time_ns);
		assert_int_equal(list.v.data[i].profile->duration_ns, p->duration_ns);
		if (i)
			assert_true(series_labels_compare(&list.v.data[i - 1].labels,
							  &list.v.data[i].labels) <= 0);
	}
	want = sums_of_source(p, by_function);
	got = sums_of_series(&list, by_function);
	assert_string_equal(got, want);
	free(want);
	free(got);
	got_release(&list);
}

/* --- properties ---------------------------------------------------------------------------------- */

static void nothing_is_lost(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 25; seed++) {
		struct profile *p = random_profile(seed, 120);

		assert_split(p, &(struct series_opts){0}, false);
		assert_split(p, &(struct series_opts){.name_all = true}, true);
		profile_free(p);
	}
}

static void nothing_is_lost_within_limits(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 10; seed++) {
		struct profile *p = random_profile(100 + seed, 300);
		struct series_opts o = {.max_samples = 7, .name_all = true};

		assert_split(p, &o, true);
		o.max_samples = 0;
		o.max_bytes = 6000;
		assert_split(p, &o, true);
		o.max_depth = 3;
		assert_split(p, &o, false);
		profile_free(p);
	}
}

/* Those of other programs lie outside the repository. */
static void real_profiles_lose_nothing(void **state)
{
	const char *dir = getenv("KILN_TEST_DATA") ?: "../shared/data/pprof";
	DIR *d = opendir(dir);
	struct dirent *e;
	size_t n = 0;

	(void)state;
	while (d && (e = readdir(d))) {
		struct profile *p;
		const char *why;
		char path[1024];

		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (!strstr(e->d_name, ".pb") || import_file(&p, path, &why))
			continue;
		n++;
		assert_split(p, &(struct series_opts){.name_all = true}, true);
		assert_split(p, &(struct series_opts){.max_samples = 10, .max_bytes = 20000},
			     false);
		profile_free(p);
	}
	if (d)
		closedir(d);
	if (!n) {
		print_message("SKIP: no profiles in $KILN_TEST_DATA or ../shared/data/pprof\n");
		skip();
	}
}

/* --- one thing at a time ------------------------------------------------------------------------- */

struct label {
	const char *key, *value; /* value NULL: the number 7 */
};

static uint32_t labelset_id(struct profile *p, const struct label *labels)
{
	struct profile_label l[40];
	uint32_t id;
	size_t n = 0;

	for (; labels && labels[n].key; n++) {
		l[n] = (struct profile_label){.key = str_id(p, labels[n].key), .num = 7};
		l[n].str = labels[n].value ? str_id(p, labels[n].value) : PROFILE_NONE;
	}
	MUST(profile_labelset(p, l, n, &id));
	return id;
}

static struct profile *new_profile(void)
{
	struct profile *p = profile_new();

	assert_non_null(p);
	MUST(profile_init_cpu(p, 1000));
	return p;
}

static void add_sample(struct profile *p, const uint32_t *frames, size_t n,
		       const struct label *labels)
{
	uint32_t stack;

	MUST(profile_stack(p, frames, n, &stack));
	MUST(profile_add(p, stack, labelset_id(p, labels), (int64_t[]){1, 1000}));
}

static struct profile *profile_with(const struct label *labels)
{
	struct profile *p = new_profile();
	uint32_t f = location_id(p, mapping_id(p, "/usr/bin/burn", "", true), 0x1100, "main");

	add_sample(p, &f, 1, labels);
	return p;
}

static void assert_only_labels(const struct label *labels, const struct series_opts *o,
			       const char *want)
{
	struct profile *p = profile_with(labels);
	struct got_list list = got_split(p, o);
	struct buf got = {0};

	assert_int_equal(list.v.len, 1);
	assert_labels(&list.v.data[0]);
	series_text(&got, &list.v.data[0]);
	assert_string_equal(buf_cstr(&got), want);
	buf_release(&got);
	got_release(&list);
	profile_free(p);
}

#define LABELS(...)                                                                                \
	(const struct label[])                                                                     \
	{                                                                                          \
		__VA_ARGS__,                                                                       \
		{                                                                                  \
			NULL                                                                       \
		}                                                                                  \
	}
#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void services_have_names(void **state)
{
	const struct series_opts none = {0}, nginx = {.service = "nginx"};

	(void)state;
	assert_only_labels(LABELS({"service_name", "a"}, {"executable", "/b"}), &nginx,
			   "service_name=a;");
	assert_only_labels(LABELS({"executable", "/usr/bin/b"}), &nginx, "service_name=nginx;");
	assert_only_labels(LABELS({"executable", "/usr/bin/b"}, {"comm", "c"}), &none,
			   "comm=c;service_name=b;");
	assert_only_labels(LABELS({"comm", "kworker/0:1"}), &none,
			   "comm=kworker/0:1;service_name=kworker/0:1;");
	assert_only_labels(LABELS({"executable", "/b"}, {"unit", "u.service"}, {"pod", "p"}), &none,
			   "pod=p;service_name=p;unit=u.service;");
	assert_only_labels(LABELS({"executable", "/b"}, {"unit", "user@0.service"}), &none,
			   "service_name=b;unit=user@0.service;");
	assert_only_labels(LABELS({"pod", "p"}, {"container_name", "c"}), &nginx,
			   "container_name=c;pod=p;service_name=nginx;");
	assert_only_labels(NULL, &none, "service_name=unknown_service;");
	assert_only_labels(LABELS({"service_name", NULL}), &none, "service_name=unknown_service;");
}

static void hosts_have_names(void **state)
{
	const struct series_opts o = {.host = "web\x01"};

	(void)state;
	assert_only_labels(NULL, &o, "host=web\xef\xbf\xbd;service_name=unknown_service;");
	assert_only_labels(LABELS({"host", "db"}), &o, "host=db;service_name=unknown_service;");
}

static void names_of_labels_are_cleaned(void **state)
{
	(void)state;
	assert_only_labels(
		LABELS({"k8s.pod-name", "x"}, {"9", "y"}, {"\xc3\xa9", "z"}),
		&(struct series_opts){.labels = NAMES("k8s.pod-name", "9", "\xc3\xa9", "missing")},
		"_=z;_9=y;k8s_pod_name=x;service_name=unknown_service;");
	/* Names of the stores' own, and two that become one: the first in the list counts. */
	assert_only_labels(LABELS({"__name__", "x"}, {"a.b", "1"}, {"a_b", "2"}),
			   &(struct series_opts){.labels = NAMES("__name__", "a_b", "a.b")},
			   "_name__=x;a_b=2;service_name=unknown_service;");
}

static void labels_have_caps(void **state)
{
	char *value = calloc(1, 5001), *name = calloc(1, 3001);
	const char *many[41] = {0};
	static char names[40][16];
	struct label labels[41] = {{NULL}};
	struct got_list list;
	struct profile *p;

	(void)state;
	for (int i = 0; i < 2500; i++)
		memcpy(value + 2 * i, "\xc3\xa9", 2);
	memset(name, 'n', 3000);
	for (int i = 0; i < 39; i++) {
		snprintf(names[i], sizeof(names[i]), "l%02d", i);
		many[i] = names[i];
		labels[i] = (struct label){names[i], "v"};
	}
	many[0] = labels[0].key = name;
	labels[0].value = value;
	p = profile_with(labels);
	list = got_split(p, &(struct series_opts){.labels = many, .host = "h"});
	assert_labels(&list.v.data[0]);
	assert_int_equal(list.v.data[0].labels.v.len, SERIES_MAX_LABELS);
	assert_non_null(label_of(&list.v.data[0], "host"));
	name[SERIES_MAX_NAME] = '\0';
	assert_int_equal(strlen(label_of(&list.v.data[0], name)), 2047);
	assert_true(text_has_suffix(label_of(&list.v.data[0], name), "\xc3\xa9..."));
	got_release(&list);
	profile_free(p);
	free(value);
	free(name);
}

/* A stack of n functions f0 (the leaf) ... in one file. */
static void add_deep(struct profile *p, uint32_t n)
{
	uint32_t frames[64], m = mapping_id(p, "/usr/bin/deep", "", true);
	char name[16];

	for (uint32_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		frames[i] = location_id(p, m, 0x1000 + i, name);
	}
	add_sample(p, frames, n, NULL);
}

static void stacks_are_cut_at_their_root(void **state)
{
	struct profile *p = new_profile(), *got;
	struct got_list list;

	(void)state;
	add_deep(p, 10);
	add_deep(p, 11); /* like the one above from its leaf on */
	add_deep(p, 4);
	list = got_split(p, &(struct series_opts){.max_depth = 4});
	assert_int_equal(list.v.len, 1);
	got = list.v.data[0].profile;
	assert_int_equal(got->samples.len, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct profile_sample *s = &got->samples.data[i];
		const struct profile_stack *stack = &got->stacks.data[s->stack];
		const uint32_t *f = got->frames.data + stack->first;

		assert_int_equal(stack->len, 4);
		assert_string_equal(shown_name(got, f[0], 0), "f0");
		assert_string_equal(shown_name(got, f[2], 0), "f2");
		assert_string_equal(shown_name(got, f[3], 0), i ? "f3" : FRAME_TRUNCATED);
		assert_int_equal(got->values.data[s->first_value], i ? 1 : 2);
	}
	got_release(&list);
	profile_free(p);
}

static void labels_that_go_make_samples_equal(void **state)
{
	struct profile *p = new_profile();
	uint32_t f = location_id(p, mapping_id(p, "/usr/bin/burn", "", true), 0x1100, "main");
	struct got_list list;

	(void)state;
	add_sample(p, &f, 1, LABELS({"comm", "a"}, {"pid", NULL}));
	add_sample(p, &f, 1, LABELS({"comm", "a"}, {"thread_id", NULL}));
	list = got_split(p, &(struct series_opts){0});
	assert_int_equal(list.v.len, 1);
	assert_int_equal(list.v.data[0].profile->samples.len, 1);
	assert_int_equal(list.v.data[0].profile->values.data[0], 2);
	assert_int_equal(list.v.data[0].profile->values.data[1], 2000);
	got_release(&list);
	profile_free(p);
}

static void every_frame_gets_a_name(void **state)
{
	struct profile *p = new_profile(), *got;
	uint32_t lib = mapping_id(p, "/usr/lib/libx.so", "", false);
	uint32_t frames[] = {location_id(p, lib, 0x12, NULL), location_id(p, lib, 0x34, ""),
			     location_id(p, lib, 0x56, "named"),
			     location_id(p, PROFILE_NONE, 0x78, NULL)};
	struct got_list list;

	(void)state;
	add_sample(p, frames, 4, NULL);
	list = got_split(p, &(struct series_opts){.name_all = true});
	got = list.v.data[0].profile;
	assert_string_equal(shown_name(got, 0, 0), "[libx.so]+0x12");
	assert_string_equal(shown_name(got, 1, 0), "[libx.so]+0x34");
	assert_string_equal(shown_name(got, 2, 0), "named");
	assert_string_equal(shown_name(got, 3, 0), MAPPING_UNKNOWN);
	assert_true(got->mappings.data[0].has_functions);
	got_release(&list);
	profile_free(p);
}

static void names_stay_behind_where_they_can_be_found(void **state)
{
	struct profile *p = new_profile(), *got;
	uint32_t native = mapping_id(p, "/usr/bin/a", "00ff", true);
	uint32_t frames[] = {
		location_id(p, native, 0x10, "native"),
		location_id(p, native, 0, "without an address"),
		location_id(p, mapping_id(p, "/usr/bin/b", "", true), 0x20, "without a build id"),
		location_id(p, mapping_id(p, MAPPING_JIT, "", true), 0x30, "jit"),
		location_id(p, mapping_id(p, MAPPING_KERNEL, "00ff", true), 0, "kernel")};
	struct buf raw;
	struct got_list list;

	(void)state;
	add_sample(p, frames, 5, NULL);
	list = got_split(p, &(struct series_opts){.without_names = true});
	raw = list.v.data[0].raw;
	got = list.v.data[0].profile;
	assert_int_equal(got->locations.len, 5);
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(got->locations.data[i].n_lines, i > 0);
	assert_int_equal(got->locations.data[0].address, 0x10);
	assert_string_equal(shown_name(got, 1, 0), "without an address");
	assert_string_equal(shown_name(got, 2, 0), "without a build id");
	assert_string_equal(shown_name(got, 3, 0), "jit");
	assert_string_equal(shown_name(got, 4, 0), "kernel");
	assert_null(memmem(raw.data, raw.len, "native", 6));
	assert_false(got->mappings.data[got->locations.data[0].mapping].has_functions);
	got_release(&list);
	profile_free(p);
}

static void types_are_cleaned(void **state)
{
	struct profile *p = profile_new(), *got;
	struct got_list list;
	uint32_t f;

	(void)state;
	MUST(profile_add_sample_type(p, "off-cpu.time", "ns"));
	p->default_sample_type = str_id(p, "off-cpu.time");
	f = location_id(p, PROFILE_NONE, 0, "f");
	add_sample(p, &f, 1, NULL);
	list = got_split(p, &(struct series_opts){0});
	got = list.v.data[0].profile;
	assert_string_equal(profile_text(got, got->sample_types.data[0].type), "off_cpu_time");
	assert_int_equal(got->default_sample_type, got->sample_types.data[0].type);
	got_release(&list);
	profile_free(p);
}

static void one_sample_may_be_too_large(void **state)
{
	struct profile *p = new_profile();
	struct got_list list = {0};

	(void)state;
	add_deep(p, 60);
	assert_int_equal(series_split(p, &(struct series_opts){.max_bytes = 300}, got_keep, &list),
			 -EFBIG);
	assert_int_equal(list.v.len, 0);
	list = got_split(p, &(struct series_opts){.max_bytes = 300, .max_depth = 3});
	assert_int_equal(list.v.len, 1);
	got_release(&list);
	profile_free(p);
}

static void nothing_makes_no_series(void **state)
{
	struct profile *p = new_profile();
	struct got_list list = got_split(p, &(struct series_opts){0});

	(void)state;
	assert_int_equal(list.v.len, 0);
	got_release(&list);
	profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_lost),
		cmocka_unit_test(nothing_is_lost_within_limits),
		cmocka_unit_test(real_profiles_lose_nothing),
		cmocka_unit_test(services_have_names),
		cmocka_unit_test(hosts_have_names),
		cmocka_unit_test(names_of_labels_are_cleaned),
		cmocka_unit_test(labels_have_caps),
		cmocka_unit_test(stacks_are_cut_at_their_root),
		cmocka_unit_test(labels_that_go_make_samples_equal),
		cmocka_unit_test(every_frame_gets_a_name),
		cmocka_unit_test(names_stay_behind_where_they_can_be_found),
		cmocka_unit_test(types_are_cleaned),
		cmocka_unit_test(one_sample_may_be_too_large),
		cmocka_unit_test(nothing_makes_no_series),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
