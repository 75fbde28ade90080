// SPDX-License-Identifier: GPL-2.0-or-later
/* A configuration file: what is accepted is printed, and what is printed is accepted and prints the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/agent/config.h"
#include "profiler/base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_errors errs = {0}, none = {0};
	struct config *c = NULL, *again = NULL;
	struct buf first = {0}, second = {0};

	if (config_parse(&c, "fuzz", data, size, &errs)) {
		if (!errs.n || !errs.text.len || errs.n > CONFIG_MAX_ERRORS)
			abort();
	} else {
		config_print(&first, c, false);
		if (errs.n || config_parse(&again, "fuzz", first.data, first.len, &none))
			abort();
		/* The places have moved. */
		buf_clear(&first);
		config_print(&first, c, true);
		config_print(&second, again, true);
		if (strcmp(buf_cstr(&first), buf_cstr(&second)) != 0)
			abort();
	}
	config_free(c);
	config_free(again);
	buf_release(&first);
	buf_release(&second);
	buf_release(&errs.text);
	buf_release(&none.text);
	return 0;
}
