/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Amounts as people write them in a configuration, and back without loss. */
#ifndef KILN_BASE_QUANTITY_H
#define KILN_BASE_QUANTITY_H

#include <stddef.h>
#include <stdint.h>

/* "64MiB", "1.5 GiB", "500MB": powers of 1024 with an i, else of 1000; B, KiB .. TiB, kB .. TB. A bare
 * number is bytes. 0, -EINVAL or -ERANGE. */
int quantity_parse_size(const char *s, uint64_t *bytes);

/* "1%", "0.25 %": in millionths, so at most four digits after the point. 0, -EINVAL or -ERANGE (more
 * than 100 %). */
int quantity_parse_percent(const char *s, uint64_t *ppm);

/* In the largest unit that divides it: parsing gives the same number. Into at least 32 bytes. */
const char *quantity_format_size(uint64_t bytes, char *out, size_t size);
const char *quantity_format_duration(uint64_t ns, char *out, size_t size);
const char *quantity_format_percent(uint64_t ppm, char *out, size_t size);

#endif
