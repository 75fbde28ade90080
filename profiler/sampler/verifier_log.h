/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel's verifier writes about a BPF program. */
#ifndef KILN_SAMPLER_VERIFIER_LOG_H
#define KILN_SAMPLER_VERIFIER_LOG_H

#include <stddef.h>

/* The largest buffer that every kernel takes. Before Linux 6.4 the verifier gives up when its log does
 * not fit. Only what is written to is memory. */
#define VERIFIER_LOG_BYTES (16u * 1024 * 1024 - 1)

/* The line that says why a program was refused, within the log: its length in *len. NULL if there is
 * none. */
const char *verifier_log_reason(const char *log, size_t *len);

#endif
