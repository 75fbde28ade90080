/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Protobuf messages in JSON (protobuf.dev, "ProtoJSON Format"), by their descriptors. */
#ifndef KILN_HTTP_PROTO_JSON_H
#define KILN_HTTP_PROTO_JSON_H

#include <stddef.h>

#include <protobuf-c/protobuf-c.h>

#include "profiler/base/buf.h"

/* Appends a message; what has its default value is left out. Bytes are written as text: kiln's are. 0 or -ENOMEM. */
int proto_to_json(struct buf *out, const ProtobufCMessage *m);

/*
 * Turns JSON of a message into its wire format, appended to out. Field names may be as in JSON (profileTypeID) or
 * as in the schema (profile_typeID); unknown ones are ignored, as is null. On -EINVAL *why is what is wrong.
 * 0, -EINVAL, or -ENOMEM.
 */
int proto_from_json(struct buf *out, const ProtobufCMessageDescriptor *d, const char *data,
		    size_t len, const char **why);

#endif
