/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scope-bound cleanup. A function owns a marked variable. steal_*() gives the ownership away. */
#ifndef KILN_BASE_CLEANUP_H
#define KILN_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(fn) __attribute__((cleanup(fn)))

static inline void cleanup_free_ptr(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define _cleanup_free_	 _cleanup_(cleanup_free_ptr)
#define _cleanup_close_	 _cleanup_(cleanup_close_fd)
#define _cleanup_fclose_ _cleanup_(cleanup_fclose)

/* Defines a cleanup function for a pointer to `struct name`, for use as _cleanup_(name_freep). */
#define DEFINE_CLEANUP(name, free_fn)                                                              \
	static inline void name##_freep(struct name **p)                                           \
	{                                                                                          \
		free_fn(*p);                                                                       \
	}

#define steal_ptr(p)                                                                               \
	__extension__({                                                                            \
		__typeof__(p) *_steal_pp = &(p);                                                   \
		__typeof__(p) _steal_v = *_steal_pp;                                               \
		*_steal_pp = NULL;                                                                 \
		_steal_v;                                                                          \
	})

static inline int steal_fd(int *fd)
{
	int v = *fd;

	*fd = -1;
	return v;
}

#endif
