/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the log of the kernel's verifier. */
#ifndef KILN_SAMPLER_VERIFIER_LOG_H
#define KILN_SAMPLER_VERIFIER_LOG_H

#include <stddef.h>

/* The largest buffer that every kernel accepts. Before Linux 6.4 loading fails if the log does
 * not fit. Only written pages take memory. */
#define VERIFIER_LOG_BYTES (16u * 1024 * 1024 - 1)

/* The line that says why a program was refused, inside the log. *len is its length. NULL if
 * there is none. */
const char *verifier_log_reason(const char *log, size_t *len);

#endif
