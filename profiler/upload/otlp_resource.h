/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What OpenTelemetry calls a resource: whose samples these are. Labels of a sample become attributes by the
 * names of the semantic conventions (opentelemetry.io/docs/specs/semconv/resource):
 *
 *	service_name	service.name		host		host.name
 *	namespace	k8s.namespace.name	pod, pod_uid	k8s.pod.name, k8s.pod.uid
 *	container_name	k8s.container.name in a pod, else container.name
 *	container	container.id		image		container.image.name
 *
 * service.h says what stands for a service_name that is not there.
 */
#ifndef KILN_UPLOAD_OTLP_RESOURCE_H
#define KILN_UPLOAD_OTLP_RESOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "profiler/base/buf.h"

struct profile;
struct profile_label;

/* Appends the fields of a Resource for samples of this label set. Equal resources give equal bytes. */
void otlp_resource_put(struct buf *out, const struct profile *p, uint32_t labelset,
		       const char *host);

/*
 * Whether a label becomes an attribute of each sample. Numbers (pid, thread_id) and what kiln knows of a thread
 * or process do not: in a profile store each value would be a series of its own. Labels of the configuration
 * and of other profilers do, by their own name.
 */
bool otlp_label_is_of_sample(const struct profile *p, const struct profile_label *l);

#endif
