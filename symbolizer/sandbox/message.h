/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages between a process and one that it has locked up, over a SOCK_SEQPACKET pair. */
#ifndef KILN_SYMBOLIZER_SANDBOX_MESSAGE_H
#define KILN_SYMBOLIZER_SANDBOX_MESSAGE_H

#include <stddef.h>
#include <sys/types.h>

/* One message: a socket's buffer of the default size holds three. */
#define WIRE_BYTES_MAX 65536

/* 0 or -errno. The descriptor (-1: none) is not taken. */
int wire_send(int sock, const void *msg, size_t len, int fd);
/* Two parts in one message. */
int wire_send2(int sock, const void *a, size_t a_len, const void *b, size_t b_len, int fd);
/*
 * One message of at most WIRE_BYTES_MAX. Its length (0: the other side is gone), or -errno, -EBADMSG
 * when it is longer. *fd (NULL: none is accepted) becomes the descriptor that came with it, or -1.
 */
ssize_t wire_recv(int sock, void *msg, int *fd);

#endif
