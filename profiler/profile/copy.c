// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>

#include "profiler/base/cleanup.h"
#include "profiler/profile/copy.h"

static uint32_t *new_table(size_t n)
{
	return calloc(n + 1, sizeof(uint32_t));
}

int copy_init(struct copy *c, struct profile *dst, const struct profile *src,
	      const struct copy_rules *rules)
{
	*c = (struct copy){
		.dst = dst,
		.src = src,
		.strings = new_table(strtab_count(src->strings)),
		.mappings = new_table(src->mappings.len),
		.functions = new_table(src->functions.len),
		.locations = new_table(src->locations.len),
		.stacks = new_table(src->stacks.len),
		.labelsets = new_table(src->labelsets.len),
	};
	if (rules)
		c->rules = *rules;
	return c->strings && c->mappings && c->functions && c->locations && c->stacks &&
			       c->labelsets
		       ? 0
		       : -ENOMEM;
}

void copy_release(struct copy *c)
{
	free(c->strings);
	free(c->mappings);
	free(c->functions);
	free(c->locations);
	free(c->stacks);
	free(c->labelsets);
	vec_release(&c->lines);
	vec_release(&c->frames);
	vec_release(&c->labels);
}

static bool is_known(uint32_t known, uint32_t *out)
{
	*out = known - 1;
	return known != 0;
}

static int learn(uint32_t *known, int err, uint32_t id)
{
	if (!err)
		*known = id + 1;
	return err;
}

int copy_string(struct copy *c, uint32_t id, uint32_t *out)
{
	uint32_t *known = &c->strings[id];
	int err;

	if (is_known(*known, out))
		return 0;
	err = strtab_add(c->dst->strings, profile_text(c->src, id), out);
	return learn(known, err, *out);
}

static int copy_value_type(struct copy *c, struct profile_value_type t,
			   struct profile_value_type *out)
{
	int err = copy_string(c, t.type, &out->type);

	return err ?: copy_string(c, t.unit, &out->unit);
}

int copy_mapping(struct copy *c, uint32_t id, uint32_t *out)
{
	uint32_t *known;
	struct profile_mapping m;
	int err;

	*out = id;
	if (id == PROFILE_NONE)
		return 0;
	known = &c->mappings[id];
	if (is_known(*known, out))
		return 0;
	m = c->src->mappings.data[id];
	err = copy_string(c, m.file, &m.file);
	err = err ?: copy_string(c, m.build_id, &m.build_id);
	err = err ?: profile_mapping_joined(c->dst, &m, out);
	return learn(known, err, *out);
}

static int copy_function(struct copy *c, uint32_t id, uint32_t *out)
{
	uint32_t *known = &c->functions[id];
	struct profile_function f;
	int err;

	if (is_known(*known, out))
		return 0;
	f = c->src->functions.data[id];
	err = copy_string(c, f.name, &f.name);
	err = err ?: copy_string(c, f.system_name, &f.system_name);
	err = err ?: copy_string(c, f.file, &f.file);
	err = err ?: profile_function(c->dst, &f, out);
	return learn(known, err, *out);
}

int copy_lines(struct copy *c, uint32_t location)
{
	const struct profile_location *l = &c->src->locations.data[location];
	int err = vec_reserve(&c->lines, l->n_lines);

	c->lines.len = 0;
	for (uint32_t i = 0; !err && i < l->n_lines; i++) {
		struct profile_line line = c->src->lines.data[l->first_line + i];

		err = copy_function(c, line.function, &line.function);
		c->lines.data[c->lines.len++] = line;
	}
	return err;
}

int copy_put_location(struct copy *c, uint32_t location, uint32_t mapping, uint64_t address,
		      uint32_t *out)
{
	int err = profile_location(c->dst, mapping, address, c->lines.data, c->lines.len, out);

	if (!err)
		c->dst->locations.data[*out].is_folded |=
			c->src->locations.data[location].is_folded;
	return err;
}

static int copy_location(struct copy *c, uint32_t id, uint32_t *out)
{
	const struct profile_location *l = &c->src->locations.data[id];
	uint32_t *known = &c->locations[id];
	uint32_t mapping;
	int err;

	if (is_known(*known, out))
		return 0;
	if (c->rules.location) {
		err = c->rules.location(c->rules.ctx, c, id, out);
	} else {
		err = copy_mapping(c, l->mapping, &mapping);
		err = err ?: copy_lines(c, id);
		err = err ?: copy_put_location(c, id, mapping, l->address, out);
	}
	return learn(known, err, *out);
}

/* Puts locations of dst into c->frames. */
static int copy_frames(struct copy *c, uint32_t id)
{
	const struct profile_stack *s = &c->src->stacks.data[id];
	uint32_t len = s->len, skipped = 0;
	int err;

	if (c->rules.skip)
		skipped = c->rules.skip(c->rules.ctx, c, id);
	if (c->rules.depth)
		len = c->rules.depth(c->rules.ctx, c, id);
	err = vec_reserve(&c->frames, len + 1ul);
	c->frames.len = 0;
	for (uint32_t i = skipped; !err && i < len; i++)
		err = copy_location(c, c->src->frames.data[s->first + i],
				    &c->frames.data[c->frames.len++]);
	if (!err && len < s->len && c->rules.mark)
		err = c->rules.mark(c->rules.ctx, c, &c->frames.data[c->frames.len++]);
	return err;
}

static int copy_stack(struct copy *c, uint32_t id, uint32_t *out)
{
	uint32_t *known = &c->stacks[id];
	int err;

	if (is_known(*known, out))
		return 0;
	err = c->rules.stack ? c->rules.stack(c->rules.ctx, c, id) : copy_frames(c, id);
	err = err ?: profile_stack(c->dst, c->frames.data, c->frames.len, out);
	return learn(known, err, *out);
}

static int copy_label(struct copy *c, struct profile_label *l)
{
	int err = copy_string(c, l->key, &l->key);

	if (l->str != PROFILE_NONE)
		err = err ?: copy_string(c, l->str, &l->str);
	return err ?: copy_string(c, l->num_unit, &l->num_unit);
}

static int add_label(struct copy *c, uint32_t labelset)
{
	struct profile_label l;
	int rc = c->rules.more_label ? c->rules.more_label(c->rules.ctx, c, labelset, &l) : 0;

	return rc > 0 ? vec_push(&c->labels, l) : rc;
}

static int copy_labelset(struct copy *c, uint32_t id, uint32_t *out)
{
	const struct profile_labelset *s = &c->src->labelsets.data[id];
	uint32_t *known = &c->labelsets[id];
	int err;

	if (is_known(*known, out))
		return 0;
	err = vec_reserve(&c->labels, s->len);
	c->labels.len = 0;
	for (uint32_t i = 0; !err && i < s->len; i++) {
		struct profile_label l = c->src->labels.data[s->first + i];

		if (c->rules.keeps_label && !c->rules.keeps_label(c->rules.ctx, c, &l))
			continue;
		err = copy_label(c, &l);
		c->labels.data[c->labels.len++] = l;
	}
	err = err ?: add_label(c, id);
	err = err ?: profile_labelset(c->dst, c->labels.data, c->labels.len, out);
	return learn(known, err, *out);
}

int copy_sample(struct copy *c, size_t i)
{
	const struct profile_sample *s = &c->src->samples.data[i];
	uint32_t stack, labelset;
	int err = copy_stack(c, s->stack, &stack);

	err = err ?: copy_labelset(c, s->labelset, &labelset);
	return err ?: profile_add(c->dst, stack, labelset, c->src->values.data + s->first_value);
}

int copy_header(struct copy *c)
{
	struct profile *dst = c->dst;
	const struct profile *src = c->src;
	int err = copy_value_type(c, src->period_type, &dst->period_type);

	for (size_t i = 0; !err && i < src->sample_types.len; i++) {
		struct profile_value_type t;

		err = copy_value_type(c, src->sample_types.data[i], &t);
		err = err ?: vec_push(&dst->sample_types, t);
	}
	dst->period = src->period;
	dst->time_ns = src->time_ns;
	dst->duration_ns = src->duration_ns;
	err = err ?: spans_add_all(&dst->covered, &src->covered);
	err = err ?: copy_string(c, src->default_sample_type, &dst->default_sample_type);
	err = err ?: copy_string(c, src->drop_frames, &dst->drop_frames);
	err = err ?: copy_string(c, src->keep_frames, &dst->keep_frames);
	return err ?: copy_string(c, src->doc_url, &dst->doc_url);
}

int copy_comments(struct copy *c)
{
	struct profile *dst = c->dst;
	size_t max_strings = strtab_count(dst->strings) + c->src->comments.len;
	_cleanup_free_ bool *have = calloc(max_strings, sizeof(*have));
	int err = have ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < dst->comments.len; i++)
		have[dst->comments.data[i]] = true;
	for (size_t i = 0; !err && i < c->src->comments.len; i++) {
		uint32_t id;

		err = copy_string(c, c->src->comments.data[i], &id);
		if (err || have[id])
			continue;
		have[id] = true;
		err = vec_push(&dst->comments, id);
	}
	return err;
}
