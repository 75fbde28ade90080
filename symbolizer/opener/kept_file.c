// SPDX-License-Identifier: GPL-2.0-or-later
#include "symbolizer/opener/kept_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/cleanup.h"
#include "symbolizer/opener/opener.h"

static int take_descriptors(struct kept_file *k, const struct sym_file *file)
{
	k->fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 3);
	if (k->fd < 0)
		return -errno;
	if (file->root_fd >= 0)
		k->root_fd = fcntl(file->root_fd, F_DUPFD_CLOEXEC, 3);
	return 0;
}

int kept_file_take(struct kept_file *out, const struct sym_file *file)
{
	struct kept_file k = KEPT_FILE_NONE;
	int err = 0;

	if (!sym_file_is_open(file))
		return -EBADF;
	k.uid = file->uid;
	if (file->path && !(k.path = strdup(file->path)))
		return -ENOMEM;
	if (file->held)
		opener_dup(file->held, &k.held);
	else
		err = take_descriptors(&k, file);
	if (err)
		kept_file_release(&k);
	else
		*out = k;
	return err;
}

int kept_file_claim(struct kept_file *k)
{
	int err = k->held.opener ? opener_claim(&k->held, &k->fd, &k->root_fd) : 0;

	if (!err)
		k->held = (struct held_file){0};
	return err;
}

void kept_file_release(struct kept_file *k)
{
	cleanup_close_fd(&k->fd);
	cleanup_close_fd(&k->root_fd);
	if (k->held.opener) {
		opener_close(k->held.opener, k->held.number);
		opener_close(k->held.opener, k->held.root);
	}
	free(k->path);
	*k = KEPT_FILE_NONE;
}

struct sym_file kept_file_sym(const struct kept_file *k)
{
	return (struct sym_file){
		.fd = k->fd,
		.root_fd = k->root_fd,
		.path = k->path,
		.uid = k->uid,
		.held = k->held.opener ? &k->held : NULL,
	};
}
