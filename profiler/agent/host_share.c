// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/host_share.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "profiler/agent/config_schema.h"
#include "profiler/base/buf.h"
#include "profiler/base/io.h"
#include "profiler/base/quantity.h"
#include "profiler/base/sha256.h"

#define ID_BYTES    64
#define NAMES_BYTES (ID_BYTES + HOST_NAME_MAX + 2)

/* Images share a machine id when it is not made anew, and names may be the same in two places: it takes both. */
uint64_t host_share_place(const char *machine_id, const char *host)
{
	uint8_t digest[SHA256_LEN];
	char text[NAMES_BYTES];
	uint64_t v = 0;
	int len = snprintf(text, sizeof(text), "%.*s\n%.*s", ID_BYTES, machine_id, HOST_NAME_MAX,
			   host);

	sha256(text, (size_t)len, digest);
	for (int i = 0; i < 4; i++)
		v = v << 8 | digest[i];
	return v * HOST_SHARE_ALL >> 32;
}

/* In a pod the host's name is the pod's, which is another one each time; tools/kiln-daemonset.yaml sets the node's. */
static uint64_t own_place(void)
{
	char id[ID_BYTES + 1] = "", host[HOST_NAME_MAX + 1] = "";
	const char *node = getenv("NODE_NAME");

	if (node && *node)
		return host_share_place("", node);
	if (io_read_line("/etc/machine-id", id, sizeof(id)))
		id[0] = '\0';
	gethostname(host, sizeof(host) - 1);
	return host_share_place(id, host);
}

bool host_is_sampled(const struct config *c)
{
	return c->share_ppm >= HOST_SHARE_ALL || own_place() < c->share_ppm;
}

bool host_share_say(struct buf *out, const struct config *c)
{
	bool is_in = host_is_sampled(c);
	char share[32], place[32];

	if (c->share_ppm < HOST_SHARE_ALL)
		buf_printf(out, "this host %s: sampling.hosts is %s, and its place is at %s",
			   is_in ? "samples" : "does not sample",
			   quantity_format_percent(c->share_ppm, share, sizeof(share)),
			   quantity_format_percent(own_place(), place, sizeof(place)));
	return is_in;
}
