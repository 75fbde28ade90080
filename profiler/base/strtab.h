/* SPDX-License-Identifier: GPL-2.0-or-later */
/* String interning: equal strings get equal ids. Id 0 is always "". Not thread-safe. */
#ifndef KILN_BASE_STRTAB_H
#define KILN_BASE_STRTAB_H

#include <stddef.h>
#include <stdint.h>

struct strtab;

/* New table holding only "" as id 0. NULL when out of memory. */
struct strtab *strtab_new(void);
void strtab_free(struct strtab *t);

/* Interns len bytes (no NUL inside: the string ends at the first one). 0 or -ENOMEM. */
int strtab_add_n(struct strtab *t, const char *s, size_t len, uint32_t *id);
int strtab_add(struct strtab *t, const char *s, uint32_t *id);

/* A copy that is not interned and has no id: valid until strtab_free(). NULL when out of memory. */
const char *strtab_keep(struct strtab *t, const char *s, size_t len);

/* Id of a string that is there, or UINT32_MAX. */
uint32_t strtab_lookup(const struct strtab *t, const char *s);

/* NUL-terminated, valid until strtab_free(). An id out of range gives "". */
const char *strtab_get(const struct strtab *t, uint32_t id);

uint32_t strtab_count(const struct strtab *t);
/* Bytes held, index included. */
size_t strtab_bytes(const struct strtab *t);

#endif
