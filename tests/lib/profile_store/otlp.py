# SPDX-License-Identifier: GPL-2.0-or-later
"""OTLP profiles: requests decoded by hand, and a receiver like the Collector's or Pyroscope's.

Field numbers: opentelemetry-proto v1.10 and v1.11, opentelemetry/proto/profiles/v1development/profiles.proto.
Older ones (Sample.values was 2) are not read.
"""
import hashlib
import zlib

import grpc
from exchange import Response
from rules import CODES, Refused
from wire import Malformed, Message, signed

HTTP_PATH = "/v1development/profiles"
GRPC_PATH = "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"
TABLES = {"mapping": 1, "location": 2, "function": 3, "link": 4, "string": 5, "attribute": 6, "stack": 7}
MAX_BODY = {"collector": 20 << 20, "pyroscope": 256 << 20}
MAX_MESSAGE = 4 << 20  # of gRPC, by default


def any_value(m, strings, reads_strindex):
    """(value, whether it was a string)"""
    if m.all(1):
        return m.text(1)
    if m.all(2):
        return bool(m.number(2))
    if m.all(3):
        return m.signed(3)
    if m.all(8) and reads_strindex:
        return at(strings, m.number(8), "")
    return None


def at(table, index, default=None):
    return table[index] if index < len(table) else default


class Dictionary:
    def __init__(self, m, reads_strindex):
        self.problems = []
        raw = {name: m.all(number) for name, number in TABLES.items()}
        for name, entries in raw.items():
            if not entries:
                self.problems.append(f"the table {name} has no zero element")
            elif any(entries[0]) and name != "link":
                self.problems.append(f"entry 0 of the table {name} is not zero")
            elif name == "link" and entries[0]:
                self.problems.append("link_table[0] is not empty")
        self.strings = []
        for one in raw["string"]:
            try:
                self.strings.append(one.decode("utf-8"))
            except UnicodeDecodeError:
                raise Malformed("string field contains invalid UTF-8") from None
        self.mappings = [(x.number(1), x.number(2), x.number(3), self.text(x.number(4), "mapping"), x.numbers(5))
                         for x in m.messages(1)]
        self.functions = [(self.text(x.number(1), "function"), self.text(x.number(2), "function"),
                           self.text(x.number(3), "function")) for x in m.messages(3)]
        self.attributes = []
        for x in m.messages(6):
            value = any_value(x.message(2), self.strings, reads_strindex)
            if x.message(2).all(8):
                self.problems.append("string_value_strindex is used: some receivers ignore it")
            self.attributes.append((self.text(x.number(1), "attribute"), value))
        self.locations = [self.location(x) for x in m.messages(2)]
        self.stacks = [x.numbers(1) for x in m.messages(7)]
        for indices in self.stacks:
            self.check("stack", indices, self.locations)

    def text(self, index, where):
        if index >= len(self.strings):
            self.problems.append(f"a string index of a {where} is out of range")
        return at(self.strings, index, "")

    def check(self, where, indices, table):
        if any(i >= len(table) for i in indices):
            self.problems.append(f"an index in a {where} is out of range")

    def location(self, m):
        mapping, lines = m.number(1), [(x.number(1), x.signed(2)) for x in m.messages(3)]
        self.check("location", [mapping], self.mappings)
        self.check("location", [f for f, _ in lines], self.functions)
        self.check("location", m.numbers(4), self.attributes)
        module = at(self.mappings, mapping, (0, 0, 0, "", []))[3] if mapping else ""
        address, frames = m.number(2), []
        for function, line in lines:
            name, _, file = at(self.functions, function, ("", "", ""))
            frames.append((name or None, module, address, file, line))
        return tuple(frames) or ((None, module, address, "", 0),)

    def labels(self, indices, where):
        self.check(where, indices, self.attributes)
        return [self.attributes[i] for i in indices if i < len(self.attributes)]

    def stack(self, index):
        self.check("sample", [index], self.stacks)
        return tuple(frame for i in at(self.stacks, index, []) for frame in at(self.locations, i, ()))


class Profile:
    def __init__(self, m, raw, dictionary):
        known = len(dictionary.problems)
        kind, period = m.message(1), m.message(5)
        self.type = (dictionary.text(kind.number(1), "type"), dictionary.text(kind.number(2), "type"))
        self.period_type = (dictionary.text(period.number(1), "type"), dictionary.text(period.number(2), "type"))
        self.time_ns, self.duration_ns, self.period = m.number(3), m.number(4), m.signed(6)
        self.id = m.bytes(7).hex()
        self.attributes = dictionary.labels(m.numbers(11), "profile")
        self.sha = hashlib.sha256(raw).hexdigest()
        self.samples, problems = [], []
        for sample in m.messages(2):
            values, times = [signed(v) for v in sample.numbers(4)], sample.numbers(5, fixed=True)
            if len(values) > 1 and len(times) != len(values):
                problems.append(f"a sample with {len(values)} values and {len(times)} times")
            if values and times:
                problems.append("a sample with values and times: Pyroscope refuses it")
            labels = dictionary.labels(sample.numbers(2), "sample")
            self.samples.append(([sum(values) if values else len(times)], labels,
                                 dictionary.stack(sample.number(1))))
        self.problems = sorted(set(problems + dictionary.problems[known:]))
        if len(self.id) != 32:
            self.problems.append("profile_id has not 16 bytes")
        if not self.time_ns or not self.duration_ns:
            self.problems.append("a profile without a time or duration")


def profiles(body, reads_strindex=True):
    """[(labels of the resource, Profile)] of an ExportProfilesServiceRequest; Malformed if it is none."""
    m = Message(body)
    dictionary = Dictionary(m.message(2), reads_strindex)
    of_tables = sorted(set(dictionary.problems))
    out = []
    for resource_profiles in m.messages(1):
        labels, problems = resource_labels(resource_profiles.message(1), dictionary, reads_strindex)
        for scope_profiles in resource_profiles.messages(2):
            for raw in scope_profiles.all(2):
                profile = Profile(Message(raw), raw, dictionary)
                profile.problems = sorted(set(profile.problems + of_tables + problems))
                profile.sha = hashlib.sha256((repr(sorted(labels.items())) + repr(profile.samples) +
                                              str(profile.time_ns)).encode()).hexdigest()
                out.append((labels, profile))
    return out


def resource_labels(resource, dictionary, reads_strindex):
    labels, problems = {}, []
    for pair in resource.messages(1):
        key = pair.text(1)
        if pair.number(3):
            problems.append("key_strindex is used: Pyroscope ignores it")
            key = dictionary.text(pair.number(3), "resource") if reads_strindex else ""
        value = any_value(pair.message(2), dictionary.strings, reads_strindex)
        if value is not None:
            labels[key] = str(value)
    return labels, problems


class Receiver:
    """style: "collector" or "pyroscope"; settings may change at run time."""

    def __init__(self, name, store, settings):
        self.name, self.store, self.settings = name, store, settings

    def handle(self, request):
        if request.path == GRPC_PATH and request.is_grpc():
            return grpc.answer(request, self.export, self.settings.get("max_message", MAX_MESSAGE))
        if request.path != self.settings.get("path", HTTP_PATH):
            if request.is_grpc():
                return grpc.failure(12, f"unknown service or method {request.path}")
            return Response(404, "404 page not found\n", "text/plain; charset=utf-8")
        if request.method != "POST":
            return Response(405, "405 method not allowed, supported: [POST]", "text/plain")
        return self.over_http(request)

    def is_collector(self):
        return self.settings.get("style", "collector") == "collector"

    def over_http(self, request):
        style = "collector" if self.is_collector() else "pyroscope"
        kind, encoding = request.header("content-type"), request.header("content-encoding")
        plain = kind.split(";")[0].strip()
        allowed = ("application/x-protobuf", "application/json")
        if style == "collector" and plain not in allowed:
            return self.failed(415, f"415 unsupported media type, supported: [{', '.join(allowed)}]")
        if style == "pyroscope" and kind not in allowed + ("application/protobuf",):
            return self.failed(415, "unsupported content type")
        if encoding not in ("", "identity", "gzip") + (("deflate",) if style == "collector" else ()):
            return self.failed(400, f'unsupported Content-Encoding: "{encoding}"')
        if len(request.body) > self.settings.get("max_body", MAX_BODY[style]):
            return self.failed(413, "request body too large")
        try:
            body = request.inflated()
        except (OSError, zlib.error) as error:
            return self.failed(400, f"{error}")
        if len(body) > self.settings.get("max_body", MAX_BODY[style]):
            return self.failed(400 if style == "collector" else 413, "http: request body too large")
        if plain == "application/json":
            return self.failed(400, "this server decodes no JSON of OTLP")
        try:
            self.export(request, body)
        except Refused as refused:
            return self.failed(CODES[refused.code][1], refused.message)
        return Response(200, self.reply(), "application/x-protobuf")

    def failed(self, status, message):
        self.store.refuse(self.name, message)
        return Response(status, message, "text/plain")

    def reply(self):
        """The Collector answers with an empty partial_success."""
        return b"\x0a\x00" if self.is_collector() else b""

    def export(self, request, body):
        try:
            found = profiles(body, reads_strindex=self.is_collector())
        except Malformed as error:
            raise Refused("invalid_argument" if self.is_collector() else "unknown", str(error)) from None
        try:
            self.check(found)
        except Refused as refused:
            self.store.refuse(self.name, refused.message)
            raise
        self.store.add_otlp(self.name, body, self.is_collector())
        return self.reply()

    def check(self, found):
        if self.settings.get("zero_elements") and any("zero" in text for _, p in found for text in p.problems):
            raise Refused("invalid_argument", "a table of the dictionary has no zero element")
        if self.is_collector():
            return
        if not found:
            raise Refused("unknown", "no profiles in the request")
        for labels, profile in found:
            if "" in labels:
                raise Refused("invalid_argument", "empty label name")
            if any("values and times" in text or "values" in text for text in profile.problems):
                raise Refused("unknown", "a sample with several values")
            if not profile.period:
                raise Refused("unknown", "period must not be 0")
