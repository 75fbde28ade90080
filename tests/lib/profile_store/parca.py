# SPDX-License-Identifier: GPL-2.0-or-later
"""A server like Parca: WriteRaw over gRPC and as JSON, and the queries of its HTTP API.

Restates what a real one was seen to answer. Not here: gRPC-Web, WriteArrow, Write.
"""
import base64
import binascii
import datetime
import gzip
import json
import re

import debuginfo
import grpc
import pprof
import rules
import selector
import store
from exchange import Response
from rules import CODES, Refused
from wire import Malformed, Message

WRITE_RAW = "/parca.profilestore.v1alpha1.ProfileStoreService/WriteRaw"
PAGE = "<!doctype html><html><head><title>Parca</title></head><body></body></html>"
READ_TIMEOUT_S = 5
MAX_MESSAGE = 64 << 20
MAX_REPLY = 4 << 20
QUERY = re.compile(r"\s*([^:{]*):([^:{]*):([^:{]*):([^:{]*):([^:{]*?)(:delta)?\s*(\{.*\})?\s*", re.S)


def read_proto(body):
    """[(labels, [profile])]"""
    out = []
    for series in Message(body).messages(2):
        labels = [(x.text(1), x.text(2)) for x in series.message(1).messages(1)]
        out.append((labels, [x.bytes(1) for x in series.messages(2)]))
    return out


def read_json(body):
    out = []
    for series in json.loads(body).get("series", []):
        labels = [(x.get("name", ""), x.get("value", "")) for x in series.get("labels", {}).get("labels", [])]
        out.append((labels, [base64.b64decode(x.get("rawProfile", x.get("raw_profile", "")), validate=True)
                             for x in series.get("samples", [])]))
    return out


def time_ns(text, default):
    """RFC 3339, with up to nine digits of a second."""
    if not text:
        return default
    m = re.fullmatch(r"(\d+-\d+-\d+T\d+:\d+:\d+)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", text)
    if not m:
        raise Refused("invalid_argument", f"invalid google.protobuf.Timestamp value {text!r}")
    at = datetime.datetime.fromisoformat(m[1] + m[3].replace("Z", "+00:00"))
    return int(at.timestamp()) * 10**9 + int((m[2] or "0").ljust(9, "0"))


def type_ids(record):
    """[(type's id, type of the values)]"""
    name, period = record.labels.get("__name__", ""), ":".join(record.period_type)
    delta = ":delta" if record.duration_ns else ""
    return [(f"{name}:{kind}:{unit}:{period}{delta}", kind) for kind, unit in record.types]


class Parca:
    def __init__(self, name, records, settings):
        self.name, self.store, self.settings, self.is_dead = name, records, settings, False
        self.debuginfo = debuginfo.Debuginfo(name, records)

    def handle(self, request):
        if self.is_dead:
            return Response(502, "this server died of a line with a nil function", "text/plain")
        token = self.settings.get("bearer")
        if token and request.header("authorization") != f"Bearer {token}":
            if request.is_grpc():
                return grpc.failure(16, "invalid token")
            return Response(401, '{"code":16,"message":"invalid token","details":[]}', "application/json")
        if request.took_s > self.settings.get("read_timeout_s", READ_TIMEOUT_S):
            return Response(200)  # as it is: no grpc-status, nothing stored
        if request.path == WRITE_RAW and request.is_grpc():
            return grpc.answer(request, self.write_raw, self.settings.get("max_message", MAX_MESSAGE))
        if request.path.startswith(debuginfo.PARCA) and request.is_grpc():
            return self.debuginfo.parca(request)
        if request.is_grpc():
            return grpc.failure(12, f"unknown service {request.path}")
        if not request.path.startswith("/api/"):
            return Response(200, PAGE, "text/html; charset=utf-8")
        try:
            reply = self.over_json(request)
            if len(reply) > MAX_REPLY:
                raise Refused("resource_exhausted", f"grpc: received message larger than max ({len(reply)} vs. 4194304)")
        except Refused as refused:
            return Response(CODES[refused.code][2], json.dumps(
                {"code": CODES[refused.code][0], "message": refused.message, "details": []}), "application/json")
        return Response(200, reply, "application/json")

    # Writing.
    def write_raw(self, request, message):
        try:
            series = read_proto(message)
        except Malformed as error:
            raise Refused("internal", f"grpc: error unmarshalling request: {error}") from None
        self.write(series)
        return b""

    def write(self, series):
        """All or nothing."""
        items = []
        try:
            for labels, samples in series:
                rules.check_labels(labels)
                for compressed in samples:
                    items.append(self.item(labels, compressed))
        except Refused as refused:
            self.store.refuse(self.name, refused.message)
            raise
        self.store.add_pprof([item for item in items if item])

    def item(self, labels, compressed):
        try:
            raw = pprof.inflate(compressed)
        except Malformed as error:
            raise Refused("unknown", f"failed to decompress: {error}") from None
        if not raw:
            return None
        try:
            profile = pprof.Profile(raw)
        except Malformed as error:
            raise Refused("invalid_argument", f"failed to parse profile: {error}") from None
        rules.check_parca(profile, labels)
        return self.name, dict(labels), raw, profile, {}

    # JSON, as grpc-gateway has it.
    def over_json(self, request):
        if request.path == "/api/profiles/writeraw" and request.method == "POST":
            if request.header("content-encoding") not in ("", "identity"):
                raise Refused("invalid_argument", "invalid character '\\x1f' looking for beginning of value")
            try:
                series = read_json(request.body)
            except (ValueError, AttributeError, TypeError, binascii.Error) as error:
                raise Refused("invalid_argument", str(error)) from None
            self.write(series)
            return b"{}"
        q = request.arguments()
        m = re.fullmatch(r"/api/profiles/labels/([^/]+)/values", request.path)
        if m:
            values = {r.labels.get(m[1]) for r in self.within(q)}
            return dump({"labelValues": sorted(v for v in values if v), "warnings": []})
        method = {"types": self.types, "labels": self.labels, "query": self.query,
                  "query_range": self.query_range}.get(request.path[len("/api/profiles/"):])
        if not method or request.method != "GET":
            raise Refused("not_found", "Not Found")
        return method(q)

    def within(self, q, prefix=""):
        return self.store.select(self.name, (), time_ns(q.get(prefix + "start"), 0), time_ns(q.get(prefix + "end"), 1 << 63))

    def types(self, q):
        ids = {(one, r.duration_ns > 0) for r in self.within(q) for one, _ in type_ids(r)}
        names = ("name", "sampleType", "sampleUnit", "periodType", "periodUnit")
        return dump({"types": [dict(zip(names, one.split(":")), delta=delta) for one, delta in sorted(ids)]})

    def labels(self, q):
        names = {name for r in self.within(q) for name in r.labels if name != "__name__"}
        return dump({"labelNames": sorted(names), "warnings": []})

    def found(self, text, since, until):
        """[(record, type of the values)], and the unit"""
        m = QUERY.fullmatch(text)
        if not m:
            raise Refused("invalid_argument", f"failed to parse query: {text!r}")
        try:
            matchers = selector.parse(m[7] or "")
        except selector.BadSelector as error:
            raise Refused("invalid_argument", f"failed to parse query: {error}") from None
        wanted = ":".join(m.groups()[:5]) + (m[6] or "")
        return [(r, kind) for r in self.store.select(self.name, [], since, until)
                if selector.parca_matches(matchers, r.labels)
                for one, kind in type_ids(r) if one == wanted], m[3], wanted

    def query(self, q):
        since, until = time_ns(q.get("merge.start"), 0), time_ns(q.get("merge.end"), 1 << 63)
        records, unit, wanted = self.found(q.get("merge.query", ""), since, until)
        if not records:
            raise Refused("not_found", "could not find profile at requested time and selectors")
        merged, modules = pprof.Merged(), {}
        for record, kind in records:
            profile = pprof.Profile(record.raw())
            if not rules.is_utf8(profile):
                raise Refused("internal", "grpc: error while marshaling: string field contains invalid UTF-8")
            for stack, value in store.merge([record], kind)[0].stacks.items():
                merged.add(tuple(without_address(f, modules) for f in stack), value * periods(record, wanted))
        report = q.get("report_type", q.get("reportType", "REPORT_TYPE_FLAMEGRAPH_UNSPECIFIED"))
        if report == "REPORT_TYPE_PPROF":
            parts = wanted.split(":")
            shown = parts[3:5] if is_in_periods(wanted) else parts[1:3]
            raw = merged.encode(shown, parts[3:5], records[0][0].period)
            return dump({"total": str(merged.total()), "filtered": "0",
                         "pprof": base64.b64encode(gzip.compress(raw)).decode()})
        if report != "REPORT_TYPE_TOP":
            raise Refused("unimplemented", f"this server has no {report}")
        if any(rules.check_parca(pprof.Profile(r.raw()), list(r.labels.items())) for r, _ in records):
            self.is_dead = True
            self.store.refuse(self.name, "died of a line with a nil function")
            raise Refused("unavailable", "the server is gone")
        return dump({"total": str(merged.total()), "filtered": "0", "top": top(merged, unit)})

    def query_range(self, q):
        """By steps of time from 1970 on, and by the labels of sum_by: without those, everything is one value."""
        records, _, wanted = self.found(q.get("query", ""), time_ns(q.get("start"), 0), time_ns(q.get("end"), 1 << 63))
        if not records:
            raise Refused("not_found", "No data found for the query, try a different query or time range")
        step, by = duration_ns(q.get("step", "0s")), q.get("sum_by", q.get("sumBy", ""))
        series = {}
        for record, kind in records:
            i, factor = record.value_index(kind)
            labels = tuple((n, v) for n, v in sorted(record.labels.items()) if n == by)
            points = series.setdefault(labels, {})
            at = record.time_ns // step * step if step else 0
            points[at] = points.get(at, 0) + record.sums()[i] * factor * periods(record, wanted)
        parts = wanted.split(":")
        shown = parts[3:5] if is_in_periods(wanted) else parts[1:3]
        return dump({"series": [{
            "labelset": {"labels": [{"name": n, "value": v} for n, v in labels]},
            "sampleType": {"type": shown[0], "unit": shown[1]}, "periodType": {"type": parts[3], "unit": parts[4]},
            "samples": [{"timestamp": rfc3339(at), "value": str(value), "valuePerSecond": 0, "duration": str(step)}
                        for at, value in sorted(points.items())]}
            for labels, points in sorted(series.items())], "warnings": []})


def without_address(frame, modules):
    """A frame with a name loses its address, and then its module: the first of a function's modules has it all."""
    name, module, _, file, line = frame
    return (name, modules.setdefault((name, file, line), module), 0, file, line) if name else frame


def is_in_periods(wanted):
    """A count of samples over some time is answered as what the samples stand for."""
    parts = wanted.split(":")
    return parts[1:3] == ["samples", "count"] and parts[5:] == ["delta"]


def periods(record, wanted):
    return record.period if is_in_periods(wanted) else 1


def duration_ns(text):
    if not re.fullmatch(r"[0-9]+([.][0-9]{1,9})?s", text):
        raise Refused("invalid_argument", f"invalid duration: {text}")
    whole, _, part = text[:-1].partition(".")
    return int(whole) * 10**9 + int(part.ljust(9, "0") or 0)


def rfc3339(ns):
    at = datetime.datetime.fromtimestamp(ns // 10**9, datetime.timezone.utc)
    return at.strftime("%Y-%m-%dT%H:%M:%S") + (f".{ns % 10**9:09d}" if ns % 10**9 else "") + "Z"


def dump(value):
    return json.dumps(value).encode()


def top(merged, unit):
    """Functions by name; frames without one by file and address."""
    def key(frame):
        return frame[:3] if not frame[0] else (frame[0], frame[1], 0)
    rows = sorted(merged.totals(key).items(), key=lambda row: -row[1][1])
    return {"list": [{"meta": {"location": {"address": str(address)}, "mapping": {"file": module},
                               **({"function": {"name": name}} if name else {})},
                      "cumulative": str(total), "flat": str(own), "diff": "0"}
                     for (name, module, address), (own, total) in rows],
            "reported": len(rows), "total": len(rows), "unit": unit}
