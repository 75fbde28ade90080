// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writes what OpenTelemetry receivers are sent of a pprof file: otlp_write [--without-names] FILE DIR. DIR/N.pb is
 * the Nth request as it is before compression, and DIR/N.pb.gz after it; DIR/N.grpc is it as a frame of gRPC.
 * Prints a line a request: bytes, compressed bytes, Profiles, samples, microseconds of CPU for all of them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/base/clock.h"
#include "profiler/base/io.h"
#include "profiler/formats/compress.h"
#include "profiler/formats/export.h"
#include "profiler/profile/profile.h"
#include "profiler/upload/otlp.h"
#include "proto/grpc.h"

#define MAX_FILE (256 << 20)

static int write_file(const char *dir, size_t n, const char *suffix, const struct buf *b)
{
	char path[4096];
	FILE *f;
	int err;

	snprintf(path, sizeof(path), "%s/%zu.%s", dir, n, suffix);
	f = fopen(path, "w");
	if (!f)
		return -1;
	err = fwrite(b->data, 1, b->len, f) != b->len;
	return fclose(f) || err ? -1 : 0;
}

static int write_request(const char *dir, size_t n, const struct otlp_request *r, uint64_t us)
{
	struct buf gz = {0}, frame = {0};
	int err = compress_gzip(&gz, r->body.data, r->body.len);

	grpc_frame(&frame, r->body.data, r->body.len, false);
	err = err ?: frame.err ?: write_file(dir, n, "pb", &r->body) ?:
	      write_file(dir, n, "pb.gz", &gz) ?: write_file(dir, n, "grpc", &frame);
	printf("%zu %zu %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", r->body.len, gz.len, r->profiles,
	       r->samples, us);
	buf_release(&gz);
	buf_release(&frame);
	return err;
}

static int write_all(const struct profile *p, const struct otlp_opts *o, const char *dir)
{
	uint64_t began = clock_ns(CLOCK_PROCESS_CPUTIME_ID), us;
	struct otlp_requests r = {0};
	int err = otlp_encode(&r, p, o);

	us = (clock_ns(CLOCK_PROCESS_CPUTIME_ID) - began) / 1000;
	for (size_t i = 0; !err && i < r.v.len; i++)
		err = write_request(dir, i, &r.v.data[i], us);
	otlp_requests_release(&r);
	return err;
}

int main(int argc, char **argv)
{
	struct otlp_opts o = {.host = "testhost", .id = {1, 2}};
	const char *why = "cannot be read";
	struct profile *p = NULL;
	char *data = NULL;
	size_t len = 0;
	int err;

	if (argc > 1 && !strcmp(argv[1], "--without-names")) {
		o.without_names = true;
		argc--, argv++;
	}
	if (argc != 3)
		return 2;
	err = io_read_file(argv[1], MAX_FILE, &data, &len) ?: import_pprof(&p, data, len, &why);
	if (err)
		fprintf(stderr, "%s: %s\n", argv[1], why);
	err = err ?: write_all(p, &o, argv[2]);
	profile_free(p);
	free(data);
	return !!err;
}
