/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Another program's profile, in cmocka tests. */
#ifndef KILN_TESTS_SPECIMEN_H
#define KILN_TESTS_SPECIMEN_H

#include <stdlib.h>
#include <string.h>

#include "profiler/formats/export.h"
#include "proto/pprof.pb-c.h"
#include "tests/lib/profiles.h"

/* A small valid message with odd ids, for the cases below to break. */
struct specimen {
	Pprof__Profile m;
	Pprof__ValueType type, *types[1];
	Pprof__Mapping mapping, mapping2, *mappings[2];
	Pprof__Function function, *functions[1];
	Pprof__Line line, *lines[1];
	Pprof__Location location, *locations[1];
	Pprof__Label label, *labels[1];
	Pprof__Sample sample, *samples[1];
	uint64_t location_ids[1];
	int64_t values[2], comments[1];
	ProtobufCBinaryData strings[4];
};

static inline void specimen_init(struct specimen *s)
{
	static const char *const texts[] = {"", "cpu", "main", "x\xff"};

	*s = (struct specimen){.m = PPROF__PROFILE__INIT,
			       .type = PPROF__VALUE_TYPE__INIT,
			       .mapping = PPROF__MAPPING__INIT,
			       .mapping2 = PPROF__MAPPING__INIT,
			       .function = PPROF__FUNCTION__INIT,
			       .line = PPROF__LINE__INIT,
			       .location = PPROF__LOCATION__INIT,
			       .label = PPROF__LABEL__INIT,
			       .sample = PPROF__SAMPLE__INIT};
	for (size_t i = 0; i < 4; i++)
		s->strings[i] = (ProtobufCBinaryData){strlen(texts[i]), (uint8_t *)texts[i]};
	s->type.type = 1;
	s->mapping.id = UINT64_MAX;
	s->mapping.filename = 2;
	s->mapping2.id = 1;
	s->function.id = 1ull << 40;
	s->function.name = 2;
	s->line.function_id = s->function.id;
	s->location.id = 2; /* out of place: the first would be 1 */
	s->location.mapping_id = UINT64_MAX;
	s->location.address = 0x10;
	s->label.key = 1;
	s->label.str = 3;
	s->location_ids[0] = 2;
	s->values[0] = 5;
	s->comments[0] = 3;
#define LIST(where, list, single)                                                                  \
	do {                                                                                       \
		s->list[0] = &s->single;                                                           \
		(where).n_##single = 1;                                                            \
		(where).single = s->list;                                                          \
	} while (0)
	LIST(s->m, mappings, mapping);
	LIST(s->m, functions, function);
	LIST(s->m, locations, location);
	LIST(s->m, samples, sample);
	LIST(s->location, lines, line);
	LIST(s->sample, labels, label);
#undef LIST
	s->mappings[1] = &s->mapping2;
	s->m.n_mapping = 2;
	s->types[0] = &s->type;
	s->m.sample_type = s->types;
	s->m.n_sample_type = 1;
	s->m.string_table = s->strings;
	s->m.n_string_table = 4;
	s->m.comment = s->comments;
	s->m.n_comment = 1;
	s->sample.location_id = s->location_ids;
	s->sample.n_location_id = 1;
	s->sample.value = s->values;
	s->sample.n_value = 1;
}

static inline int import_specimen(struct specimen *s, struct profile **p, const char **why)
{
	size_t len = pprof__profile__get_packed_size(&s->m);
	uint8_t *data = malloc(len);
	int err;

	assert_non_null(data);
	pprof__profile__pack(&s->m, data);
	err = import_pprof(p, data, len, why);
	free(data);
	return err;
}

#endif
