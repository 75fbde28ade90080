// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/config_data.h"

#include <errno.h>
#include <stdlib.h>

#include "profiler/agent/config_schema.h"
#include "profiler/agent/config_values.h"
#include "profiler/base/buf.h"
#include "profiler/base/cleanup.h"
#include "profiler/base/text.h"

static void free_values(const struct config_schema *s, void *base)
{
	for (size_t i = 0; i < s->n; i++)
		config_value_free(&s->keys[i], base);
}

static void release_names(struct config_names *names)
{
	for (size_t i = 0; i < names->list.len; i++)
		free(names->list.data[i]);
	vec_release(&names->list);
}

static void release_pairs(struct config_pairs *pairs)
{
	for (size_t i = 0; i < pairs->list.len; i++) {
		free(pairs->list.data[i].name);
		text_wipe(pairs->list.data[i].value);
		free(pairs->list.data[i].value);
	}
	vec_release(&pairs->list);
}

void config_free(struct config *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->relabel.len; i++)
		free_values(&config_relabel_schema, &c->relabel.data[i]);
	for (size_t i = 0; i < c->upload.len; i++) {
		release_pairs(&c->upload.data[i].headers);
		release_names(&c->upload.data[i].labels);
		free_values(&config_upload_schema, &c->upload.data[i]);
	}
	vec_release(&c->relabel);
	vec_release(&c->upload);
	release_pairs(&c->labels);
	release_names(&c->http_hosts);
	free_values(&config_schema, c);
	release_names(&c->sources);
	cleanup_close_fd(&c->held_fd);
	free(c);
}

void config_upload_forget_secrets(struct config_upload *u)
{
	for (size_t i = 0; i < u->headers.list.len; i++)
		text_wipe(u->headers.list.data[i].value);
}

void config_forget_secrets(struct config *c)
{
	for (size_t i = 0; c && i < c->upload.len; i++)
		config_upload_forget_secrets(&c->upload.data[i]);
	if (c && c->held_fd >= 0)
		close(steal_fd(&c->held_fd));
}

DEFINE_CLEANUP(config, config_free)

int config_set_defaults(const struct config_schema *s, void *base)
{
	struct buf why = {0};
	int err = 0;

	for (size_t i = 0; i < s->n && !err; i++)
		if (s->keys[i].fallback)
			err = config_value_set(&s->keys[i], base, s->keys[i].fallback, &why);
	buf_release(&why);
	return err;
}

int config_new(struct config **out)
{
	_cleanup_(config_freep) struct config *c = calloc(1, sizeof(*c));
	int err = -ENOMEM;

	if (c) {
		c->held_fd = -1;
		err = config_set_defaults(&config_schema, c);
	}
	if (err)
		return err;
	*out = steal_ptr(c);
	return 0;
}
