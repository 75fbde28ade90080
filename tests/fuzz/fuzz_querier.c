// SPDX-License-Identifier: GPL-2.0-or-later
/* What Grafana or anybody else sends: messages as JSON and as protobuf, and selectors. The first byte says which. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "profiler/http/proto_json.h"
#include "profiler/http/selector.h"
#include "profiler/store/where.h"
#include "profiler/base/why.h"
#include "proto/querier.pb-c.h"
#include "proto/wire.h"

/* What was taken is written, and taken again. */
static void unpack(const void *wire, size_t len)
{
	struct buf json = {0}, again = {0};
	struct wire_arena arena;
	ProtobufCMessage *m;
	const char *why;

	wire_arena_init(&arena, 4 << 20);
	m = protobuf_c_message_unpack(&querier__select_merge_stacktraces_request__descriptor,
				      &arena.allocator, len, wire);
	if (m && proto_to_json(&json, m))
		abort();
	/* Strings of protobuf may hold anything; JSON of ours does not. */
	if (m && !memchr(wire, 0xff, len))
		proto_from_json(&again, m->descriptor, json.data, json.len, &why);
	wire_arena_release(&arena);
	buf_release(&json);
	buf_release(&again);
}

static void parse_json(const char *data, size_t len)
{
	struct buf wire = {0};
	const char *why = NULL;
	int err = proto_from_json(&wire, &querier__select_merge_stacktraces_request__descriptor,
				  data, len, &why);

	if (err && (err != -22 || !why))
		abort();
	if (!err)
		unpack(wire.data ?: "", wire.len);
	buf_release(&wire);
}

/* A selector that is taken is a condition of the store, but for what is wrong with its regular expressions. */
static void parse_selector(const char *data, size_t len)
{
	struct buf where = {0}, meta = {0};
	struct why sentence;
	char *text = strndup(data, len);
	const char *why = NULL;
	struct where *w = NULL;
	int err = selector_parse(text, &where, &meta, &why);

	if (err && (err != -22 || !why))
		abort();
	if (!err && where.len && strcspn(buf_cstr(&where), "~") == where.len &&
	    where_parse(&w, buf_cstr(&where), &sentence) && !strstr(sentence.text, "conditions") &&
	    !strstr(sentence.text, "pid") && !strstr(sentence.text, "number"))
		abort();
	where_free(w);
	free(text);
	buf_release(&where);
	buf_release(&meta);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (*data % 3 == 0)
		parse_json((const char *)data + 1, size - 1);
	else if (*data % 3 == 1)
		parse_selector((const char *)data + 1, size - 1);
	else
		unpack(data + 1, size - 1);
	return 0;
}
