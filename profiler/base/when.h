/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Points in time as people type them. */
#ifndef KILN_BASE_WHEN_H
#define KILN_BASE_WHEN_H

#include <stdint.h>

#define WHEN_EXAMPLES "3h, \"yesterday 03:10\" or 2026-11-22T03:10:00Z"

/*
 * In ns since 1970:
 *	3h, 90s, 1h30m, 2d, 1w		so long ago
 *	now
 *	03:10, 3:10, 03:10:07.5		today
 *	today 03:10, yesterday 03:10	also without a time: midnight
 *	2026-11-22, 2026-11-22 03:10:07, 2026-11-22T03:10:07Z, ...+01:00	RFC 3339; seconds may be left out or
 *					have a fraction, and the zone's colon may be left out
 *	@1795313647			seconds since 1970
 * What names no zone is of the local one. now_ns is the present. 0 or -EINVAL.
 */
int when_parse(const char *text, int64_t now_ns, int64_t *ns);

#endif
