/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages between kiln and a sandboxed process, over a SOCK_SEQPACKET pair. */
#ifndef KILN_SYMBOLIZER_SANDBOX_MESSAGE_H
#define KILN_SYMBOLIZER_SANDBOX_MESSAGE_H

#include <stddef.h>
#include <sys/types.h>

/* Longest message. A socket's default buffer holds three. */
#define WIRE_BYTES_MAX 65536

/* Sends one message. Does not take the descriptor (-1: none). 0 or -errno. */
int wire_send(int sock, const void *msg, size_t len, int fd);
/* Sends two parts as one message. */
int wire_send2(int sock, const void *a, size_t a_len, const void *b, size_t b_len, int fd);
/*
 * Receives one message of at most WIRE_BYTES_MAX. *fd becomes the descriptor that came with it, or
 * -1; with fd NULL none is accepted. Returns the length (0: the other side is gone) or -errno:
 * -EBADMSG if the message is too long.
 */
ssize_t wire_recv(int sock, void *msg, int *fd);
/* The same of at most `size` bytes: WIRE_BYTES_MAX do not fit on the stack of every user (`ulimit -s`). */
ssize_t wire_recv_short(int sock, void *msg, size_t size, int *fd);

#endif
