/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keeper: a process that holds open files by number, for processes that come and go. It holds
 * O_PATH handles only. Closing one asks no file server, and neither does passing it on, so the
 * keeper never hangs. It has no privileges and reads nothing.
 */
#ifndef KILN_SYMBOLIZER_OPENER_KEEPER_H
#define KILN_SYMBOLIZER_OPENER_KEEPER_H

#include <stdint.h>

/* Handles held at once. kiln itself asks for some 1,600 at most. */
#define KEEPER_FILES_MAX 2048
#define KEEPER_LINKS_MAX 8

/* The keeper's main loop, in the sandbox. Returns -errno when the control socket is closed. */
int keeper_serve(int control);

/*
 * A hand's side. keeper_put(): 0 or -errno. keeper_get(): a descriptor or -errno. Both give
 * -ESHUTDOWN if the keeper does not answer.
 */
int keeper_put(int keeper, uint64_t number, int handle);
int keeper_get(int keeper, uint64_t number);

#endif
