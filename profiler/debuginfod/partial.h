/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What libdebuginfod leaves in its cache when a download does not come to its end: CACHE/BUILD-ID/debuginfo.XXXXXX,
 * for mkstemp(3)'s six letters. The library removes no such file of a process that ended before.
 */
#ifndef KILN_DEBUGINFOD_PARTIAL_H
#define KILN_DEBUGINFOD_PARTIAL_H

#define PARTIAL_STALE_S (24 * 3600)

/* Removes those that this process has open: for when it ends without waiting for the library. */
void partial_remove_own(const char *cache_dir);
/* Removes those that nobody has written to for PARTIAL_STALE_S. */
void partial_remove_stale(const char *cache_dir);

#endif
