// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "profiler/profile/profile.h"
#include "profiler/upload/otlp_resource.h"
#include "profiler/upload/service.h"
#include "proto/otlp.pb-c.h"
#include "proto/wire.h"

#define RESOURCE_ATTRIBUTES 1 /* field of Resource */

/* Labels whose names alone say what they are. */
static const struct {
	const char *label, *attribute;
} plain[] = {
	{LABEL_NAMESPACE, "k8s.namespace.name"}, {LABEL_POD, "k8s.pod.name"},
	{LABEL_POD_UID, "k8s.pod.uid"},		 {LABEL_CONTAINER, "container.id"},
	{LABEL_IMAGE, "container.image.name"},
};

static void put(struct buf *out, const char *key, const char *value)
{
	Otlp__KeyValue msg = OTLP__KEY_VALUE__INIT;
	Otlp__AnyValue any = OTLP__ANY_VALUE__INIT;

	if (!*value)
		return;
	any.value_case = OTLP__ANY_VALUE__VALUE_STRING_VALUE;
	any.string_value = (char *)value;
	msg.key = (char *)key;
	msg.value = &any;
	wire_put_message(out, RESOURCE_ATTRIBUTES, &msg.base);
}

void otlp_resource_put(struct buf *out, const struct profile *p, uint32_t labelset,
		       const char *host)
{
	const char *from = profile_text_label(p, labelset, LABEL_HOST);
	const char *pod = profile_text_label(p, labelset, LABEL_POD);

	put(out, "service.name", service_name(p, labelset, NULL));
	put(out, "host.name", *from ? from : host);
	put(out, "os.type", "linux");
	put(out, *pod ? "k8s.container.name" : "container.name",
	    profile_text_label(p, labelset, LABEL_CONTAINER_NAME));
	for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++)
		put(out, plain[i].attribute, profile_text_label(p, labelset, plain[i].label));
}

bool otlp_label_is_of_sample(const struct profile *p, const struct profile_label *l)
{
	static const char *const own[] = {
		LABEL_COMM,    LABEL_CGROUP,	LABEL_UNIT,	 LABEL_EXECUTABLE,
		LABEL_SERVICE, LABEL_HOST,	LABEL_NAMESPACE, LABEL_POD,
		LABEL_POD_UID, LABEL_CONTAINER, LABEL_IMAGE,	 LABEL_CONTAINER_NAME,
	};
	const char *key = profile_text(p, l->key);

	if (l->str == PROFILE_NONE || !*key || !*profile_text(p, l->str))
		return false;
	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
		if (!strcmp(key, own[i]))
			return false;
	return true;
}
