# SPDX-License-Identifier: GPL-2.0-or-later
"""A server like Pyroscope v2: Push, and the queries that read back.

Restates what a real one was seen to answer; rules.py has what it accepts. Not here: /ingest.
"""
import base64
import binascii
import gzip
import json
import threading
import time
import zlib

import debuginfo
import otlp
import pprof
import querier
import rules
from exchange import Response
from rules import CODES, Refused
from wire import Malformed, Message

PUSH = "/push.v1.PusherService/Push"


class Bucket:
    """Bytes a second and a burst, for one tenant."""

    def __init__(self):
        self.left, self.at = None, time.monotonic()

    def take(self, size, rate, burst):
        now = time.monotonic()
        self.left = burst if self.left is None else min(burst, self.left + (now - self.at) * rate)
        self.at = now
        if size > self.left:
            return False
        self.left -= size
        return True


def read_proto(body):
    """[(labels, [(profile, id)])]"""
    out = []
    for series in Message(body).messages(1):
        labels = [(x.text(1), x.text(2)) for x in series.messages(1)]
        out.append((labels, [(x.bytes(1), x.text(2)) for x in series.messages(2)]))
    return out


def read_json(body):
    out = []
    for series in json.loads(body).get("series", []):
        labels = [(x.get("name", ""), x.get("value", "")) for x in series.get("labels", [])]
        samples = [(base64.b64decode(x.get("rawProfile", x.get("raw_profile", "")), validate=True), x.get("ID", ""))
                   for x in series.get("samples", [])]
        out.append((labels, samples))
    return out


class Pyroscope:
    def __init__(self, name, store, settings):
        self.name, self.store, self.settings = name, store, settings
        self.buckets, self.lock = {}, threading.Lock()
        self.otlp = otlp.Receiver(name, store, dict(settings, style="pyroscope"))
        self.debuginfo = debuginfo.Debuginfo(name, store)
        self.querier = querier.Querier(name, store, settings)

    def handle(self, request):
        if request.path == "/ready":
            return Response(200, "ready\n", "text/plain; charset=utf-8")
        if request.path in (otlp.HTTP_PATH, otlp.GRPC_PATH):
            return self.otlp.handle(request)
        if request.path.startswith(debuginfo.PYROSCOPE):
            return self.debuginfo.pyroscope(request)
        if request.path != PUSH and not request.path.startswith(querier.PREFIX):
            return Response(404, "404 page not found\n", "text/plain; charset=utf-8")
        if request.method != "POST":
            return Response(405, headers=[("allow", "POST")])
        kind = request.header("content-type")
        if kind not in ("application/proto", "application/json"):
            return Response(415, headers=[("accept-post", "application/json, application/proto")])
        try:
            reply, encoding = self.call(request, kind == "application/json")
        except Refused as refused:
            self.store.refuse(self.name, refused.message)
            return Response(CODES[refused.code][1], json.dumps({"code": refused.code, "message": refused.message}),
                            "application/json")
        headers = [("accept-encoding", "gzip")]
        if encoding:
            headers.append(("content-encoding", "gzip"))
            reply = gzip.compress(reply)
        return Response(200, reply, kind, headers)

    def call(self, request, is_json):
        """(reply, whether it is to be compressed, which follows the request's Content-Encoding)"""
        tenant = "anonymous"
        if self.settings.get("multitenancy"):
            tenant = request.header("x-scope-orgid")
            if not tenant:
                raise Refused("unauthenticated", "no org id")
            allowed = self.settings.get("tenants")
            if allowed and tenant not in allowed:
                raise Refused("unauthenticated", f"no such tenant: {tenant}")
        encoding = request.header("content-encoding")
        if encoding not in ("", "identity", "gzip"):
            raise Refused("unimplemented", f'unknown compression "{encoding}": supported encodings are gzip')
        try:
            body = request.inflated()
        except (OSError, zlib.error) as error:
            raise Refused("invalid_argument", f"decompress: {error}") from None
        if len(body) > self.limits()["body"]:
            raise Refused("resource_exhausted", f"message size {len(body)} is larger than configured max")
        if request.path == PUSH:
            self.push(body, is_json, tenant)
            return (b"{}" if is_json else b""), encoding == "gzip"
        utf8_names = "allow-utf8-labelnames=true" in request.header("accept")
        reply = self.querier.call(request.path[len(querier.PREFIX):], body, is_json, tenant, utf8_names)
        return reply, encoding == "gzip" or (len(reply) > 1024 and "gzip" in request.header("accept-encoding"))

    def limits(self):
        return dict(rules.LIMITS, **self.settings.get("limits", {}))

    def push(self, body, is_json, tenant):
        try:
            series = read_json(body) if is_json else read_proto(body)
        except (Malformed, ValueError, AttributeError, TypeError, binascii.Error) as error:
            rules.invalid(f"unmarshal message: {error}")
        first = None
        for labels, samples in series:  # one that fails stops no other
            try:
                self.push_series(labels, samples, tenant)
            except Refused as refused:
                first = first or refused
        if first:
            raise first

    def push_series(self, labels, samples, tenant):
        limits, items, now_ns = self.limits(), [], time.time_ns()
        if not any(name == "service_name" for name, _ in labels):
            labels = labels + [("service_name", "unknown_service")]
        rules.check_labels(labels, limits)
        for compressed, number in samples:
            try:
                raw = pprof.inflate(compressed)
                profile = rules.parse(raw)
            except Malformed as error:
                raise Refused("unknown", f"failed to decode the profile: {error}") from None
            self.charge(len(raw), tenant, limits)
            rules.check_pyroscope(profile, raw, limits, now_ns)
            items.append((self.name, dict(labels), raw, profile, {"tenant": tenant, "id": number, "drops": True}))
        self.store.add_pprof(items)

    def charge(self, size, tenant, limits):
        with self.lock:
            bucket = self.buckets.setdefault(tenant, Bucket())
            if not bucket.take(size, limits["rate"], limits["burst"]):
                raise Refused("resource_exhausted", f"push rate limit ({limits['rate']} B) exceeded while adding "
                              f"{size} bytes")
