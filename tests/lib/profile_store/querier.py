# SPDX-License-Identifier: GPL-2.0-or-later
"""Pyroscope's querier.v1.QuerierService, as far as readers need it. Proto and JSON.

Field numbers: github.com/grafana/pyroscope, api/querier/v1/querier.proto.
"""
import json
import re
import struct

import pprof
import rules
import selector
import store
from rules import Refused
from wire import (Malformed, Message, put_bytes, put_double, put_number, put_packed)

PREFIX = "/querier.v1.QuerierService/"
PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
FORMAT_PPROF = 4

# The requests' fields: (number, name in JSON, kind)
TIMES = ((3, "start", "int"), (4, "end", "int"))
MERGE = ((1, "profileTypeID", "text"), (2, "labelSelector", "text")) + TIMES
REQUESTS = {
    "ProfileTypes": ((1, "start", "int"), (2, "end", "int")),
    "LabelNames": ((1, "matchers", "texts"), (2, "start", "int"), (3, "end", "int")),
    "LabelValues": ((1, "name", "text"), (2, "matchers", "texts")) + TIMES,
    "Series": ((1, "matchers", "texts"), (2, "labelNames", "texts")) + TIMES,
    "SelectMergeProfile": MERGE,
    "SelectMergeStacktraces": MERGE + ((5, "maxNodes", "int"), (6, "format", "int")),
    "SelectSeries": MERGE + ((5, "groupBy", "texts"), (6, "step", "double")),
}
OTHER_NAMES = {"profile_typeID": "profileTypeID", "label_selector": "labelSelector", "max_nodes": "maxNodes",
               "label_names": "labelNames", "group_by": "groupBy", "profileTypeId": "profileTypeID"}
FORMATS = {"PROFILE_FORMAT_PPROF": FORMAT_PPROF, "PROFILE_FORMAT_FLAMEGRAPH": 1}


def read(method, body, is_json):
    if method not in REQUESTS:
        raise Refused("unimplemented", f"no method {method}")
    try:
        return read_json(method, body) if is_json else read_proto(method, body)
    except (Malformed, ValueError, AttributeError, TypeError) as error:
        raise Refused("invalid_argument", f"unmarshal message: {error}") from None


def read_json(method, body):
    given = {OTHER_NAMES.get(k, k): v for k, v in json.loads(body or b"{}").items()}
    out = {}
    for _, name, kind in REQUESTS[method]:
        value = given.get(name)
        if kind == "int":
            out[name] = FORMATS.get(value) or int(value or 0)
        elif kind == "double":
            out[name] = float(value or 0)
        else:
            out[name] = value or ("" if kind == "text" else [])
    return out


def read_proto(method, body):
    m, out = Message(body), {}
    for number, name, kind in REQUESTS[method]:
        if kind == "int":
            out[name] = m.signed(number)
        elif kind == "double":
            out[name] = struct.unpack("<d", struct.pack("<Q", m.number(number)))[0]
        else:
            out[name] = m.text(number) if kind == "text" else m.texts(number)
    return out


def types_of(record):
    """[(type's id, type of the values)]"""
    name = record.labels.get("__name__", "process_cpu")
    period = ":".join(record.period_type)
    if record.types == [("samples", "count")] and isinstance(record, store.OtlpRecord):
        return [(f"process_cpu:cpu:nanoseconds:{period}", "cpu")]
    return [(f"{name}:{kind}:{unit}:{period}", kind) for kind, unit in record.types]


def parse_selectors(texts):
    try:
        return [selector.parse(text) for text in texts] or [[]]
    except selector.BadSelector as error:
        raise Refused("invalid_argument", str(error)) from None


class Querier:
    def __init__(self, name, records, settings):
        self.name, self.store, self.settings = name, records, settings

    def call(self, method, body, is_json, tenant, utf8_names):
        q = read(method, body, is_json)
        step_ms = int(q.get("step", 0) * 1000)
        if method == "SelectSeries" and step_ms < 1:
            rules.invalid("step must be >= 1ms")
        # A point is the sum of the step before it: the first one reaches back behind the start.
        since, until = (q["start"] - step_ms) * 10**6, (q["end"] or 1 << 42) * 10**6 + 999999
        selectors = parse_selectors(q.get("matchers", []) or [q.get("labelSelector", "")])
        found = {}
        for one in selectors:
            for record in self.store.select(self.name, (), since, until):
                if (not record.tenant or record.tenant == tenant) and selector.matches(one, labels_of(record)):
                    found[id(record)] = record
        records = list(found.values())
        if method.startswith("SelectMerge"):
            return self.merge(method, q, records, is_json)
        if method == "SelectSeries":
            return self.series_of_points(q, records, is_json)
        return getattr(self, method)(q, records, is_json, utf8_names)

    def ProfileTypes(self, q, records, is_json, utf8_names):
        ids = sorted({one for record in records for one, _ in types_of(record)})
        parts = [(one, one.split(":")) for one in ids]
        if is_json:
            return dump({"profileTypes": [{"ID": one, "name": p[0], "sampleType": p[1], "sampleUnit": p[2],
                                           "periodType": p[3], "periodUnit": p[4]} for one, p in parts]})
        return b"".join(put_bytes(1, put_bytes(1, one) + put_bytes(2, p[0]) + put_bytes(4, p[1]) +
                                  put_bytes(5, p[2]) + put_bytes(6, p[3]) + put_bytes(7, p[4]))
                        for one, p in parts)

    def LabelNames(self, q, records, is_json, utf8_names):
        names = sorted({name for record in records for name in labels_of(record)})
        return put_names([n for n in names if utf8_names or PLAIN.fullmatch(n)], is_json)

    def LabelValues(self, q, records, is_json, utf8_names):
        values = {labels_of(record).get(q["name"]) for record in records}
        return put_names(sorted(v for v in values if v), is_json)

    def Series(self, q, records, is_json, utf8_names):
        names, sets = q["labelNames"], set()
        for record in records:
            sets.add(tuple((k, v) for k, v in sorted(labels_of(record).items())
                           if (k in names if names else utf8_names or PLAIN.fullmatch(k))))
        if is_json:
            return dump({"labelsSet": [{"labels": json_labels(one)} for one in sorted(sets)]})
        return b"".join(put_bytes(2, put_labels(one)) for one in sorted(sets))

    def merge(self, method, q, records, is_json):
        parts = q["profileTypeID"].split(":")
        if len(parts) not in (5, 6):
            rules.invalid(f"profile-type selection must be of the form "
                          f"<name>:<sample-type>:<sample-unit>:<period-type>:<period-unit>: {q['profileTypeID']}")
        merged = pprof.Merged()
        for record in records:
            for one, kind in types_of(record):
                if one == ":".join(parts[:5]):
                    for stack, value in store.merge([record], kind)[0].stacks.items():
                        merged.add(stack, value)
        if method == "SelectMergeProfile" or q.get("format") == FORMAT_PPROF:
            # Whatever the periods were, it says a second.
            raw = merged.encode(parts[1:3], parts[3:5], 10**9, q["end"] * 10**6, (q["end"] - q["start"]) * 10**6)
            if is_json:
                shown = json_profile(pprof.Profile(raw))
                return dump(shown if method == "SelectMergeProfile" else {"pprof": {"profile": shown}})
            return raw if method == "SelectMergeProfile" else put_bytes(5, put_bytes(1, raw))
        return flame_graph(merged, q["maxNodes"] or 8192, is_json)

    def series_of_points(self, q, records, is_json):
        kind = (q["profileTypeID"].split(":") + [""])[1]
        start, step_ms, series = q["start"], int(q["step"] * 1000), {}
        for record in records:
            index = record.value_index(kind)
            if index is None:
                continue
            own = labels_of(record)
            labels = tuple((name, own[name]) for name in q["groupBy"] if own.get(name))
            at = start + max(0, -(-(record.time_ns // 10**6 - start) // step_ms)) * step_ms
            if at > q["end"]:
                continue
            points = series.setdefault(labels, {})
            points[at] = points.get(at, 0) + record.sums()[index[0]] * index[1]
        if is_json:
            return dump({"series": [{"labels": json_labels(labels), "points": [
                {"value": v, "timestamp": str(t)} for t, v in sorted(points.items())]}
                for labels, points in sorted(series.items())]})
        return b"".join(put_bytes(1, put_labels(labels) + b"".join(
            put_bytes(2, put_double(1, float(v)) + put_number(2, t)) for t, v in sorted(points.items())))
            for labels, points in sorted(series.items()))


def labels_of(record):
    """A series also has the labels that samples have as texts, and those that the server derives."""
    out = dict(record.labels)
    if "service.name" in out:  # OTLP
        out["service_name"] = out["service.name"]
    out.setdefault("service_name", "unknown_service")
    return out


def dump(value):
    return json.dumps(value).encode()


def json_labels(labels):
    return [{"name": name, "value": value} for name, value in labels]


def put_labels(labels):
    return b"".join(put_bytes(1, put_bytes(1, name) + put_bytes(2, value)) for name, value in labels)


def put_names(names, is_json):
    return dump({"names": names}) if is_json else b"".join(put_bytes(1, name) for name in names)


def json_profile(p):
    """As protobuf's JSON has it: 64-bit numbers are texts."""
    return {
        "sampleType": [{"type": str(t), "unit": str(u)} for t, u in p.types],
        "sample": [{"locationId": list(map(str, ids)), "value": list(map(str, values))} for ids, values, _ in p.samples],
        "mapping": [{"id": str(m[0]), "filename": str(m[4]), "hasFunctions": True} for m in p.mappings],
        "location": [{"id": str(i), "mappingId": str(m), "address": str(a),
                      "line": [{"functionId": str(f), "line": str(n)} for f, n in lines]}
                     for i, m, a, lines in p.locations],
        "function": [{"id": str(f[0]), "name": str(f[1]), "systemName": str(f[2]), "filename": str(f[3])}
                     for f in p.functions],
        "stringTable": [p.text(i) for i in range(len(p.strings))],
        "timeNanos": str(p.time_ns), "durationNanos": str(p.duration_ns)}


class Node:
    def __init__(self):
        self.children, self.total, self.own = {}, 0, 0


def tree(merged):
    """Nameless frames are passed over, and a stack of nothing else is missing from the total."""
    root = Node()
    for stack, value in merged.stacks.items():
        names = [frame[0] for frame in reversed(stack) if frame[0]]
        if not names:
            continue
        at = root
        at.total += value
        for name in names:
            at = at.children.setdefault(name, Node())
            at.total += value
        at.own += value
    return root


def truncate(root, most):
    """Nodes smaller than the `most` largest become "other"."""
    totals, todo = [], [root]
    while todo:
        node = todo.pop()
        totals.append(node.total)
        todo += node.children.values()
    if len(totals) <= most:
        return
    least, todo = sorted(totals, reverse=True)[most - 1], [root]
    while todo:
        node = todo.pop()
        small = [name for name, child in node.children.items() if child.total < least]
        rest = sum(node.children.pop(name).total for name in small)
        if rest:
            other = node.children.setdefault("other", Node())
            other.total, other.own = other.total + rest, other.own + rest
        todo += [child for name, child in node.children.items() if name != "other"]


def flame_graph(merged, most, is_json):
    root, names, levels, max_self = tree(merged), {"total": 0}, [], 0
    if not root.total:
        return dump({"flamegraph": {"names": ["total"]}}) if is_json else put_bytes(1, put_bytes(1, "total"))
    truncate(root, most)
    row = [(0, "total", root)]
    while row:
        values, end, below = [], 0, []
        for x, name, node in row:
            values += [x - end, node.total, node.own, names.setdefault(name, len(names))]
            end, at, max_self = x + node.total, x + node.own, max(max_self, node.own)
            for child_name, child in sorted(node.children.items()):
                below.append((at, child_name, child))
                at += child.total
        levels.append(values)
        row = below
    if is_json:
        return dump({"flamegraph": {"names": list(names), "total": str(root.total), "maxSelf": str(max_self),
                                    "levels": [{"values": list(map(str, one))} for one in levels]}})
    return put_bytes(1, b"".join(put_bytes(1, name) for name in names) +
                     b"".join(put_bytes(2, put_packed(1, one)) for one in levels) +
                     put_number(3, root.total) + put_number(4, max_self))
