// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/http/querier.h"

int querier_answer(const struct querier_request *q, struct buf *out)
{
	(void)q;
	buf_str(out, "{\"code\":\"unimplemented\",\"message\":\"not yet\"}\n");
	return 501;
}
