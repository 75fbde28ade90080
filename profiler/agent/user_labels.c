// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/user_labels.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "profiler/agent/config.h"

void user_labels_free(struct user_labels *l)
{
	for (size_t i = 0; i < l->list.len; i++)
		free(l->list.data[i]);
	vec_release(&l->list);
}

int user_labels_make(struct user_labels *l, const struct config *c)
{
	int err = 0;

	user_labels_free(l);
	for (size_t i = 0; i < c->labels.list.len && !err; i++) {
		const struct config_pair *p = &c->labels.list.data[i];
		char *label;

		if (asprintf(&label, "%s=%s", p->name, p->value) < 0)
			return -ENOMEM;
		err = vec_push(&l->list, label);
		if (err)
			free(label);
	}
	return err ?: vec_push(&l->list, (char *)NULL);
}
