/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fields of pprof.Profile that are written and read one entry at a time (proto/wire.h), because
 * there may be millions. The numbers are those of proto/pprof.proto. protoc-c makes no constants of
 * them, so test_pprof compares them with its descriptor.
 */
#ifndef KILN_FORMATS_PPROF_FIELDS_H
#define KILN_FORMATS_PPROF_FIELDS_H

/* Constant, number, name in pprof.proto. */
#define PPROF_FIELDS(X)                                                                            \
	X(PPROF_SAMPLE_TYPE, 1, "sample_type")                                                     \
	X(PPROF_SAMPLE, 2, "sample")                                                               \
	X(PPROF_MAPPING, 3, "mapping")                                                             \
	X(PPROF_LOCATION, 4, "location")                                                           \
	X(PPROF_FUNCTION, 5, "function")                                                           \
	X(PPROF_STRING, 6, "string_table")                                                         \
	X(PPROF_TIME, 9, "time_nanos")                                                             \
	X(PPROF_LAST, 15, "doc_url")

enum pprof_field {
#define X(constant, number, name) constant = number,
	PPROF_FIELDS(X)
#undef X
};

#endif
