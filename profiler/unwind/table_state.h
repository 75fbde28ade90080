/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How far the unwind table of a file is. */
#ifndef KILN_UNWIND_TABLE_STATE_H
#define KILN_UNWIND_TABLE_STATE_H

enum unwind_table_state {
	TABLE_UNKNOWN, /* never requested with a descriptor, or forgotten */
	TABLE_QUEUED,
	TABLE_LOADED,
	TABLE_NONE,    /* the file has no usable call frame information */
	TABLE_EVICTED, /* or there was no room; a request loads it if there is room now */
};

#endif
