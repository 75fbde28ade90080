// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/store/dict_load.h"

#include <errno.h>

#include "profiler/store/reader.h"

static int add(struct dict *d, struct reader *r, enum section s, uint32_t i, uint32_t *id)
{
	const void *record = s == SECTION_STRINGS ? reader_string(r, i) : reader_record(r, s, i);
	const struct dict_labelset *l = record;

	if (!record)
		return -EBADMSG;
	switch (s) {
	case SECTION_STRINGS:
		return dict_string(d, record, id);
	case SECTION_MAPPINGS:
		return dict_mapping(d, record, id);
	case SECTION_FUNCTIONS:
		return dict_function(d, record, id);
	case SECTION_LINES:
		return dict_line(d, record, id);
	case SECTION_LOCATIONS:
		return dict_location(d, record, id);
	case SECTION_STACKS:
		return dict_stack(d, record, id);
	default:
		return dict_labelset(d, l->series, reader_values(r, i), l->n_values, id);
	}
}

int dict_load(struct dict *d, struct reader *r, enum section s)
{
	uint32_t end = reader_count(r, s), id = 0;
	int err = 0;

	for (uint32_t i = dict_count(d, s); i < end && !err; i++) {
		err = add(d, r, s, i, &id);
		if (!err && id != i)
			err = -EBADMSG;
	}
	return err;
}
