/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a destination takes what it is sent: tried with a profile of one sample. */
#ifndef KILN_UPLOAD_CHECK_H
#define KILN_UPLOAD_CHECK_H

#include <stdint.h>

#include "profiler/base/why.h"

struct upload_target;

#define CHECK_SERVICE "kiln-check" /* its service_name */
#define CHECK_FRAME   "kiln_check" /* its one function */

/* period_ns is that of the profiles beside which it comes: it changes no rate. Sends it, and waits for the answer, some seconds at most. 0: it was taken; or -errno; with a sentence of what was
 * answered either way. */
int upload_check(const struct upload_target *t, const char *host, uint64_t period_ns,
		 struct why *answer);

#endif
