// SPDX-License-Identifier: GPL-2.0-or-later
/* Checks which parts of a reader's sandbox work here. */
#include <string.h>

#include "profiler/doctor/doctor.h"
#include "symbolizer/sandbox/sandbox.h"

static void list_parts(struct buf *out, unsigned parts)
{
	for (int i = 0; i < SANDBOX_PART_COUNT; i++)
		if (parts & 1u << i)
			buf_printf(out, "%s%s", out->len ? ", " : "", sandbox_part_text(i));
}

void check_sandbox(struct doctor *d)
{
	enum { ALL = (1u << SANDBOX_PART_COUNT) - 1 };
	struct buf have = {0}, lack = {0}, cure;
	unsigned parts;
	int err = sandbox_probe(&parts);

	if (err) {
		cure = doctor_cure("a kernel with CONFIG_SECCOMP_FILTER=y; or kiln record "
				   "--no-sandbox");
		doctor_add(d, FINDING_warn, "sandbox", &cure,
			   "foreign files cannot be read in a process without privileges: %s",
			   strerror(-err));
		return;
	}
	list_parts(&have, parts);
	list_parts(&lack, ~parts & ALL);
	doctor_add(d, lack.len ? FINDING_info : FINDING_ok, "sandbox", NULL,
		   "foreign files are read in a process with: %s%s%s", buf_cstr(&have),
		   lack.len ? "; not possible here: " : "", buf_cstr(&lack));
	buf_release(&have);
	buf_release(&lack);
}
