/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What passes between file_offers.h and whoever gives files to stores: one offer, with a descriptor that can be read,
 * and one answer to it. Neither believes the other. SOCK_SEQPACKET.
 */
#ifndef KILN_COLLECT_FILE_OFFER_H
#define KILN_COLLECT_FILE_OFFER_H

#include <stdint.h>

#include "profiler/base/build_id.h"

#define FILE_OFFER_NAME 64

struct file_offer {
	char build_id[2 * BUILD_ID_MAX + 1]; /* hex */
	char name[FILE_OFFER_NAME];	     /* without directories, clean text */
	uint8_t has_code;		     /* 0: a separate debug file */
	uint8_t of_root;		     /* nobody but root can have written it */
};

enum file_offer_verdict {
	FILE_OFFER_DONE = 1, /* no need to offer it again */
	FILE_OFFER_LATER,    /* a store is away: again, and nothing else for a while */
};

struct file_offer_answer {
	uint32_t verdict;
};

#endif
