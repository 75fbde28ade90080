/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the answer to a request of OpenTelemetry profiles means (opentelemetry.io/docs/specs/otlp, "OTLP/HTTP
 * Response" and "OTLP/gRPC Response"). What a server that takes no profiles answers is told from what it
 * answers to bad data, so that data wait for the cure. Other statuses mean what they mean for all kinds: also 408,
 * 425, 500 and 507 are tried again, which the specification leaves to 429, 502, 503 and 504.
 */
#ifndef KILN_UPLOAD_OTLP_ANSWER_H
#define KILN_UPLOAD_OTLP_ANSWER_H

#include "profiler/net/net.h"
#include "profiler/upload/kind.h"

/* upload_kind.judge() */
void otlp_judge_http(const struct net_answer *a, struct upload_judgement *out);
void otlp_judge_grpc(const struct net_answer *a, struct upload_judgement *out);

#endif
