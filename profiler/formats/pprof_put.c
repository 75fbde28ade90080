// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/formats/pprof_put.h"

#include <string.h>

#include "profiler/base/text.h"
#include "profiler/formats/pprof_fields.h"
#include "proto/wire.h"

bool pprof_may_be_main(const struct profile *p, uint32_t mapping)
{
	const char *file = profile_text(p, p->mappings.data[mapping].file);
	const char *module = profile_module(p, mapping);

	return *file && *module != '[' && profile_mapping_kind(p, mapping) == FRAME_NATIVE &&
	       !profile_module_is_library(module);
}

uint64_t pprof_mapping_id(uint64_t n, uint64_t main_n)
{
	if (n == main_n)
		return 1;
	return n < main_n ? n + 1 : n;
}

void pprof_put_mapping(struct buf *out, const struct profile_mapping *m, uint64_t id)
{
	Pprof__Mapping msg = PPROF__MAPPING__INIT;

	msg.id = id;
	msg.memory_start = m->start;
	msg.memory_limit = m->limit;
	msg.file_offset = m->offset;
	msg.filename = m->file;
	msg.build_id = m->build_id;
	msg.has_functions = m->has_functions;
	msg.has_filenames = m->has_filenames;
	msg.has_line_numbers = m->has_line_numbers;
	msg.has_inline_frames = m->has_inline_frames;
	wire_put_message(out, PPROF_MAPPING, &msg.base);
}

void pprof_put_function(struct buf *out, const struct profile_function *f, uint64_t id)
{
	Pprof__Function msg = PPROF__FUNCTION__INIT;

	msg.id = id;
	msg.name = f->name;
	msg.system_name = f->system_name;
	msg.filename = f->file;
	msg.start_line = f->start_line;
	wire_put_message(out, PPROF_FUNCTION, &msg.base);
}

void pprof_scratch_release(struct pprof_scratch *s)
{
	vec_release(&s->location_ids);
	vec_release(&s->lines);
	vec_release(&s->line_ptrs);
}

int pprof_put_location(struct buf *out, struct pprof_scratch *s, Pprof__Location *msg,
		       const struct profile_line *lines, size_t n)
{
	if (vec_reserve(&s->lines, n) || vec_reserve(&s->line_ptrs, n))
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		s->lines.data[i] = (Pprof__Line)PPROF__LINE__INIT;
		s->lines.data[i].function_id = lines[i].function + 1ull;
		s->lines.data[i].line = lines[i].line;
		s->line_ptrs.data[i] = &s->lines.data[i];
	}
	msg->n_line = n;
	msg->line = s->line_ptrs.data;
	wire_put_message(out, PPROF_LOCATION, &msg->base);
	return 0;
}
