// SPDX-License-Identifier: GPL-2.0-or-later
#include "profiler/agent/config_schema.h"

#define ROW(owner, name, type, member, least, most, fallback, words, secret, help)                 \
	{name,	 TYPE_##type, offsetof(struct owner, member), least, most, fallback, words,        \
	 secret, help},

static const struct config_key keys[] = {
#define X(...) ROW(config, __VA_ARGS__)
	CONFIG_KEYS(X)
#undef X
};
static const struct config_key relabel_keys[] = {
#define X(...) ROW(config_relabel, __VA_ARGS__)
	CONFIG_RELABEL_KEYS(X)
#undef X
};
static const struct config_key upload_keys[] = {
#define X(...) ROW(config_upload, __VA_ARGS__)
	CONFIG_UPLOAD_KEYS(X)
#undef X
};

#define SCHEMA(table)                                                                              \
	{                                                                                          \
		table, sizeof(table) / sizeof(*(table))                                            \
	}

const struct config_schema config_schema = SCHEMA(keys);
const struct config_schema config_relabel_schema = SCHEMA(relabel_keys);
const struct config_schema config_upload_schema = SCHEMA(upload_keys);

bool config_is_scalar(enum config_type type)
{
	return type < TYPE_NAMES;
}
