// SPDX-License-Identifier: GPL-2.0-or-later
/* Profiles from elsewhere that are larger than any real one, or small and refer to what makes them so. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>

#include "tests/lib/specimen.h"

static void caps_are_told(void **state)
{
	struct specimen s;
	struct profile *p = NULL;
	const char *why = "";
	uint64_t *ids = malloc((IMPORT_MAX_FRAMES + 1) * sizeof(*ids));
	Pprof__Line *lines[IMPORT_MAX_INLINED + 1];

	(void)state;
	assert_non_null(ids);
	specimen_init(&s);
	for (size_t i = 0; i <= IMPORT_MAX_FRAMES; i++)
		ids[i] = 2;
	for (size_t i = 0; i <= IMPORT_MAX_INLINED; i++)
		lines[i] = &s.line;
	s.location.line = lines;
	s.location.n_line = IMPORT_MAX_INLINED + 1;
	assert_int_equal(import_specimen(&s, &p, &why), -EFBIG);
	assert_string_equal(why, "a location has more inlined functions than any real one");
	s.location.n_line = IMPORT_MAX_INLINED;
	s.sample.location_id = ids;
	s.sample.n_location_id = IMPORT_MAX_FRAMES + 1;
	assert_int_equal(import_specimen(&s, &p, &why), -EFBIG);
	assert_string_equal(why, "a stack is deeper than any real one");
	s.location.n_line = 1;
	s.sample.n_location_id = IMPORT_MAX_FRAMES;
	assert_int_equal(import_specimen(&s, &p, &why), 0);
	assert_int_equal(p->frames.len, IMPORT_MAX_FRAMES);
	profile_free(p);
	free(ids);
}

/* A small file may refer a million times to a location with many inlined calls. */
static void inlined_calls_are_bounded_together(void **state)
{
	enum { N = 1024, FRAMES = IMPORT_MAX_FRAMES };
	struct specimen s;
	struct profile *p = NULL;
	const char *why = "";
	uint64_t *ids = malloc(FRAMES * sizeof(*ids));
	Pprof__Line *lines[N];
	Pprof__Sample *samples[N];

	(void)state;
	assert_non_null(ids);
	specimen_init(&s);
	for (size_t i = 0; i < FRAMES; i++)
		ids[i] = 2;
	for (size_t i = 0; i < N; i++) {
		lines[i] = &s.line;
		samples[i] = &s.sample;
	}
	s.m.sample = samples;
	s.location.line = lines;
	s.location.n_line = N;
	s.sample.location_id = ids;
	s.sample.n_location_id = FRAMES;
	s.m.n_sample = IMPORT_MAX_INLINED_ALL / (FRAMES * (N - 1ul));
	assert_int_equal(import_specimen(&s, &p, &why), 0);
	profile_free(p);
	s.m.n_sample++;
	assert_int_equal(import_specimen(&s, &p, &why), -EFBIG);
	assert_string_equal(why, "its stacks have more inlined calls than any real profile");
	free(ids);
}

/* ... and to one long name. */
static void text_is_bounded_together(void **state)
{
	enum {
		LONG = 32 << 20,
		N_NAMES = IMPORT_MAX_NAME_BYTES / LONG,
		N_LABELS = IMPORT_MAX_LABEL_BYTES / LONG
	};
	static const char sentence[] =
		"its names are longer, together, than those of any real profile";
	struct specimen s;
	struct profile *p = NULL;
	const char *why = "";
	char *text = malloc(LONG);
	Pprof__Label *labels[N_LABELS + 1];
	Pprof__Line *lines[N_NAMES];

	(void)state;
	assert_non_null(text);
	memset(text, 'x', LONG);
	specimen_init(&s);
	for (size_t i = 0; i <= N_LABELS; i++)
		labels[i] = &s.label;
	for (size_t i = 0; i < N_NAMES; i++)
		lines[i] = &s.line;
	s.strings[3] = (ProtobufCBinaryData){LONG, (uint8_t *)text};
	s.m.n_comment = 0;
	s.sample.label = labels;
	s.sample.n_label = N_LABELS - 1;
	assert_int_equal(import_specimen(&s, &p, &why), 0);
	profile_free(p);
	s.sample.n_label = N_LABELS;
	assert_int_equal(import_specimen(&s, &p, &why), -EFBIG);
	assert_string_equal(why, sentence);
	s.sample.n_label = 0;
	s.function.name = 3;
	s.location.line = lines;
	s.location.n_line = N_NAMES - 2; /* and the function, and other names */
	assert_int_equal(import_specimen(&s, &p, &why), 0);
	profile_free(p);
	s.location.n_line = N_NAMES;
	assert_int_equal(import_specimen(&s, &p, &why), -EFBIG);
	assert_string_equal(why, sentence);
	free(text);
}

static void sample_types_are_few(void **state)
{
	struct specimen s;
	struct profile *p = NULL;
	const char *why = "";
	Pprof__ValueType *types[IMPORT_MAX_TYPES + 1];
	int64_t values[IMPORT_MAX_TYPES + 1];

	(void)state;
	specimen_init(&s);
	for (size_t i = 0; i <= IMPORT_MAX_TYPES; i++) {
		types[i] = &s.type;
		values[i] = 1;
	}
	s.m.sample_type = types;
	s.sample.value = values;
	s.m.n_sample_type = s.sample.n_value = IMPORT_MAX_TYPES;
	assert_int_equal(import_specimen(&s, &p, &why), 0);
	profile_free(p);
	s.m.n_sample_type = s.sample.n_value = IMPORT_MAX_TYPES + 1;
	assert_int_equal(import_specimen(&s, &p, &why), -EFBIG);
	assert_string_equal(why, "it has more sample types than any real profile");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(caps_are_told),
		cmocka_unit_test(inlined_calls_are_bounded_together),
		cmocka_unit_test(text_is_bounded_together),
		cmocka_unit_test(sample_types_are_few),
	};

	return cmocka_run_group_tests_name("import_bounds", tests, NULL, NULL);
}
