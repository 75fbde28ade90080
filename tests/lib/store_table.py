#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What real stores were seen to accept and refuse, as a table, asked with curl: of the protocol server, which
must restate it, and of the real ones.

usage: store_table.py KIND URL [--stub] [FILE.pb.gz...]
       store_table.py KIND URL --read SERVICE NAME     the totals of what is stored, as the protocol server has them
KIND: pyroscope, parca, otlp, otlp-pyroscope, s3
One TAP line a row. --stub: also rows that a real server with its defaults cannot show. FILEs are pushed, read
back, and their totals compared. Exit status 1: a row differs.
"""
import base64
import gzip
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "profile_store"))

import otlp  # noqa: E402
import otlp_encode  # noqa: E402
import pprof  # noqa: E402
from pyroscope import PUSH  # noqa: E402
from parca import WRITE_RAW  # noqa: E402
from wire import put_bytes, put_number, put_packed  # noqa: E402

STRINGS = (b"", b"samples", b"count", b"cpu", b"nanoseconds", b"leaf", b"middle", b"/bin/prog", b"thread_id")
ZSTD = bytes.fromhex("28b52ffd0458090000") + b"x"
PROTO = "application/proto"
GRPC = "application/grpc+proto"


class Answer:
    def __init__(self, head, body):
        blocks = [b for b in head.replace("\r\n", "\n").split("\n\n") if b.startswith("HTTP/")]
        self.status = int(blocks[-1].split(" ")[1]) if blocks else 0
        lines = [line.partition(":") for line in head.replace("\r\n", "\n").split("\n") if not line.startswith("HTTP/")]
        self.headers = {name.lower(): value.strip() for name, _, value in lines if name}
        self.body = body

    def code(self):
        """Of Connect or of grpc-gateway."""
        try:
            return json.loads(self.body).get("code")
        except ValueError:
            return None

    def grpc(self):
        return int(self.headers["grpc-status"]) if "grpc-status" in self.headers else None


def curl(url, body=None, *headers, options=(), raw=True):
    with tempfile.TemporaryDirectory() as folder:
        head, out, data = (os.path.join(folder, n) for n in ("head", "out", "data"))
        command = ["curl", "-s", "--max-time", "60", "-o", out, "-D", head, *options]
        for header in headers:
            command += ["-H", header]
        if body is not None:
            with open(data, "wb") as file:
                file.write(body)
            command += ["--data-binary", "@" + data] if raw else ["-T", data]
        subprocess.run(command + ["-H", "Expect:", url], check=False)
        text = open(head, encoding="latin-1").read() if os.path.exists(head) else ""
        return Answer(text, open(out, "rb").read() if os.path.exists(out) else b"")


def build(strings=STRINGS, types=((1, 2), (3, 4)), samples=(((1, 2), (3, 30000000)),), labels=b"",
          locations=((1, 1, 0x1010, ((1, 7),)), (2, 1, 0x1020, ((2, 8),))), functions=((1, 5), (2, 6)),
          mappings=((1, 7),), time_ns=None, duration_ns=10**10, more=b""):
    out = b"".join(put_bytes(1, put_number(1, t) + put_number(2, u)) for t, u in types)
    out += b"".join(put_bytes(2, put_packed(1, ids) + put_packed(2, values) + labels) for ids, values in samples)
    out += b"".join(put_bytes(3, put_number(1, i) + put_number(2, 0x1000) + put_number(3, 0x9000) +
                              put_number(5, file) + put_number(7, 1)) for i, file in mappings)
    for i, mapping, address, lines in locations:
        out += put_bytes(4, put_number(1, i) + put_number(2, mapping) + put_number(3, address) + b"".join(
            put_bytes(4, put_number(1, f) + put_number(2, n)) for f, n in lines))
    out += b"".join(put_bytes(5, put_number(1, i) + put_number(2, name) + put_number(3, name))
                    for i, name in functions)
    out += b"".join(put_bytes(6, text) for text in strings)
    out += put_number(9, time.time_ns() if time_ns is None else time_ns) + put_number(10, duration_ns)
    out += put_bytes(11, put_number(1, 3) + put_number(2, 4)) + put_number(12, 10**7)
    return out + more


def ago(seconds):
    return time.time_ns() - int(seconds * 1e9)


def many(n):
    return build(samples=[((1, 2), (1, 10**7))] * n)


# Rows that both servers have. name: profile
BAD_SHAPES = {
    "a sample with too few values": build(samples=(((1, 2), (3,)),)),
    "a string index out of range": build(functions=((1, 5), (2, 99))),
    "string 0 is not empty": build(strings=(b"x",) + STRINGS[1:]),
    "two profiles, one after the other": build() * 2,
}
# name: (bytes as sent, or a function of them, status, code, nanoseconds kept)
PYROSCOPE = {
    "gzip": (gzip.compress(build()), 200, None, 30000000),
    "not compressed": (build(), 200, None, 30000000),
    "gzip of two members": (gzip.compress(build()[:40]) + gzip.compress(build()[40:]), 200, None, 30000000),
    "without a time": (build(time_ns=0), 200, None, 30000000),
    "59 minutes old": (lambda: build(time_ns=ago(59 * 60)), 200, None, 30000000),
    "61 minutes old": (lambda: build(time_ns=ago(61 * 60)), 400, "invalid_argument", 0),
    "9 minutes ahead": (lambda: build(time_ns=ago(-9 * 60)), 200, None, 30000000),
    "11 minutes ahead": (lambda: build(time_ns=ago(-11 * 60)), 400, "invalid_argument", 0),
    "ids that are not sequential": (build(functions=((7, 5), (2, 6)), locations=(
        (1, 1, 1, ((7, 1),)), (2, 1, 2, ((2, 1),)))), 200, None, 30000000),
    "a location without an id": (build(locations=((0, 1, 1, ((1, 7),)), (2, 1, 2, ((2, 8),)))), 400,
                                 "invalid_argument", 0),
    "a dangling location: the sample is dropped": (build(samples=(((1, 9), (3, 30000000)), ((1,), (1, 10**7)))),
                                                   200, None, 10**7),
    "a line without a function: the sample is dropped": (build(
        locations=((1, 1, 1, ((0, 7),)), (2, 1, 2, ((2, 8),))),
        samples=(((1, 2), (3, 30000000)), ((2,), (1, 10**7)))), 200, None, 10**7),
    "a negative value: the sample is dropped": (build(samples=(((1, 2), (3, -5)), ((1,), (1, 10**7)))), 200, None,
                                                10**7),
    "nothing but zeros: the sample is dropped": (build(samples=(((1, 2), (0, 0)), ((1,), (1, 10**7)))), 200, None,
                                                 10**7),
    "a sample type with a dash": (build(strings=STRINGS[:3] + (b"c-pu",) + STRINGS[4:]), 400, "invalid_argument", 0),
    "a name that is no UTF-8": (build(strings=STRINGS[:5] + (b"le\xffaf",) + STRINGS[6:]), 400,
                                "invalid_argument", 0),
    "16,000 samples": (many(16000), 200, None, 16000 * 10**7),
    "16,001 samples": (many(16001), 400, "invalid_argument", 0),
    "junk": (b"this is no profile", 500, "unknown", 0),
    "zstd": (ZSTD, 500, "unknown", 0),
    "a broken gzip": (gzip.compress(build())[:60], 500, "unknown", 0),
    "nothing": (b"", 500, "unknown", 0),
    "over the burst": (build(more=put_bytes(6, b"x" * 60000) * 40), 429, "resource_exhausted", 0),
    **{name: (raw, 400, "invalid_argument", 0) for name, raw in BAD_SHAPES.items()},
}
# name: (bytes as sent, gRPC's code)
PARCA = {
    "gzip": (gzip.compress(build()), 0),
    "not compressed": (build(), 0),
    "61 minutes old": (lambda: build(time_ns=ago(61 * 60)), 0),
    "20,000 samples": (many(20000), 0),
    "an empty profile": (b"", 0),
    "ids that are not sequential": (build(functions=((7, 5), (2, 6)), locations=(
        (1, 1, 1, ((7, 1),)), (2, 1, 2, ((2, 1),)))), 3),
    "a dangling location": (build(samples=(((1, 9), (3, 30000000)),)), 3),
    "a dangling function": (build(locations=((1, 1, 1, ((5, 7),)), (2, 1, 2, ((2, 8),)))), 3),
    "a dangling mapping": (build(locations=((1, 4, 1, ((1, 7),)), (2, 1, 2, ((2, 8),)))), 3),
    "a sample type with a dash": (build(strings=STRINGS[:3] + (b"c-pu",) + STRINGS[4:]), 2),
    "junk": (b"this is no profile", 3),
    "zstd": (ZSTD, 3),
    "a broken gzip": (gzip.compress(build())[:60], 2),
    **{name: (raw, 3) for name, raw in BAD_SHAPES.items()},
}


class Table:
    def __init__(self, url, is_stub, files):
        self.url, self.is_stub, self.files = url.rstrip("/"), is_stub, files
        self.rows = self.failed = 0
        self.run_id = f"t{os.getpid()}{int(time.time())}"

    def service(self):
        return f"{self.run_id}n{self.rows}"

    def row(self, name, got, wanted):
        self.rows += 1
        self.failed += got != wanted
        print(f"{'not ok' if got != wanted else 'ok'} {self.rows} - {name}" +
              (f": got {got}, wanted {wanted}" if got != wanted else ""), flush=True)

    def retimed(self, file):
        with open(file, "rb") as opened:
            return pprof.retimed(pprof.inflate(opened.read()), ago(30))

    @staticmethod
    def sums(raw, value=-1, skip_nameless=False):
        profile, merged = pprof.Profile(raw), pprof.Merged()
        for values, _, stack in profile.resolved():
            merged.add(tuple(f for f in stack if f[0] or not skip_nameless), values[value])
        return {name: both for name, both in merged.totals(lambda f: f[0] or "").items() if name}


class Pyroscope(Table):
    TYPE = "process_cpu:cpu:nanoseconds:cpu:nanoseconds"

    @staticmethod
    def body(series):
        return b"".join(put_bytes(1, b"".join(put_bytes(1, put_bytes(1, n) + put_bytes(2, v)) for n, v in labels) +
                                  b"".join(put_bytes(2, put_bytes(1, raw)) for raw in profiles))
                        for labels, profiles in series)

    def push(self, body, *headers, kind=PROTO, options=()):
        return curl(self.url + PUSH, body, f"Content-Type: {kind}", *headers, options=options)

    def labels(self, service, *more):
        return [("__name__", "process_cpu"), ("service_name", service), *more]

    def query(self, service, kind=TYPE):
        now = time.time_ns() // 10**6
        body = put_bytes(1, kind) + put_bytes(2, f'{{service_name="{service}"}}')
        body += put_number(3, now - 7200000) + put_number(4, now + 3600000)
        answer = curl(self.url + "/querier.v1.QuerierService/SelectMergeProfile", body, f"Content-Type: {PROTO}")
        return answer.body if answer.status == 200 else b""

    def read(self, service, name):
        for _ in range(60):
            raw = self.query(service, f"{name}:cpu:nanoseconds:cpu:nanoseconds")
            if raw and pprof.Profile(raw).samples:
                return raw
            time.sleep(0.5)
        sys.exit(f"nothing of {service} is there")

    def total(self, service, wanted):
        """In nanoseconds; a real server shows what it has stored some seconds later."""
        for _ in range(60):
            raw = self.query(service)
            got = sum(v[-1] for _, v, _ in pprof.Profile(raw).samples) if raw else 0
            if got == wanted or self.is_stub:
                break
            time.sleep(0.5)
        return got

    def run(self):
        for name, (raw, status, code, kept) in PYROSCOPE.items():
            service = self.service()
            raw = raw() if callable(raw) else raw
            answer = self.push(self.body([(self.labels(service), [raw])]))
            got = [answer.status, answer.code() if status != 200 else None]
            if status == 200:
                got.append(self.total(service, kept))
            self.row(name, got, [status, code] + ([kept] if status == 200 else []))
        self.requests()
        self.label_rules()
        self.not_atomic()
        self.changes()
        for file in self.files:
            self.round_trip(file)

    def changes(self):
        """What it stores otherwise than it was sent."""
        strings = STRINGS[:5] + (b"x.(*T[go.shape.[]int,go.shape.struct { y [2]int }]).f", b"x.g[go.shape.int]")
        for file, names in ((b"x/x.go", {"x.(*T).f", "x.g"}), (b"x/x.c", {str(s, "ascii") for s in strings[5:]})):
            service = self.service()
            raw = build(strings=strings + (file, b"thread_id"))
            self.push(self.body([(self.labels(service), [raw])]))
            self.total(service, 30000000)
            got = pprof.Profile(self.query(service))
            self.row(f"type parameters of Go, {file.decode()}", set(self.sums(self.query(service))), names)
        self.row("the period of what was merged", got.period, 10**9)

    def requests(self):
        body, service = self.body([(self.labels("t"), [build()])]), self.service()
        for kind, status in (("application/x-protobuf", 415), ("application/proto; charset=utf-8", 415)):
            self.row(kind, self.push(body, kind=kind).status, status)
        answer = self.push(gzip.compress(body), "Content-Encoding: gzip", "Accept-Encoding: identity")
        self.row("a compressed request: the reply is, too", [answer.status, answer.headers.get("content-encoding")],
                 [200, "gzip"])
        series = {"labels": [{"name": n, "value": v} for n, v in self.labels(service)],
                  "samples": [{"rawProfile": base64.b64encode(gzip.compress(build())).decode(), "ID": "x"}]}
        answer = self.push(json.dumps({"series": [series]}).encode(), kind="application/json")
        self.row("JSON", [answer.status, answer.body.strip(), self.total(service, 30000000)], [200, b"{}", 30000000])
        self.row("GET", curl(self.url + PUSH, None, f"Content-Type: {PROTO}").status in (405, 415, 400), True)
        if self.is_stub:
            service = self.service()
            for _ in range(3):
                self.push(self.body([(self.labels(service), [build(time_ns=ago(1))])]))
            self.row("the same three times counts three times", self.total(service, 90000000), 90000000)

    def label_rules(self):
        rows = (("without __name__", [("service_name", "t")], 400), ("a label twice", [("a", "1"), ("a", "2")], 400),
                ("a label with dots", [("k8s.pod.name", "x")], 200), ("a long value", [("a", "x" * 2049)], 400),
                ("the longest value", [("a", "x" * 2048)], 200), ("a long name", [("a" * 1025, "x")], 400),
                ("31 labels", [(f"l{i}", "x") for i in range(29)], 400),
                ("30 labels", [(f"l{i}", "x") for i in range(28)], 200))
        for name, more, status in rows:
            labels = more if name.startswith("without") else self.labels(self.service(), *more)
            self.row(name, self.push(self.body([(labels, [build()])])).status, status)

    def not_atomic(self):
        good, bad = self.service() + "g", self.service() + "b"
        answer = self.push(self.body([(self.labels(bad), [build(time_ns=ago(9999))]), (self.labels(good), [build()])]))
        self.row("one series fails, the other is stored", [answer.status, self.total(good, 30000000)], [400, 30000000])

    def round_trip(self, file):
        service, raw = self.service(), self.retimed(file)
        name = "totals of " + os.path.basename(file)
        answer = self.push(self.body([(self.labels(service), [gzip.compress(raw, 1)])]))
        wanted = self.sums(raw)
        self.total(service, sum(v[-1] for _, v, _ in pprof.Profile(raw).samples))
        got = self.sums(self.query(service) or build(samples=()))
        self.row(name, [answer.status, got == wanted, len(wanted) > 3], [200, True, True])


class Parca(Table):
    @staticmethod
    def body(series):
        return b"".join(put_bytes(2, put_bytes(1, b"".join(put_bytes(1, put_bytes(1, n) + put_bytes(2, v))
                                                           for n, v in labels)) +
                                  b"".join(put_bytes(2, put_bytes(1, raw)) for raw in profiles))
                        for labels, profiles in series) + put_number(3, 1)

    def push(self, body, *headers, flag=b"\0"):
        return curl(self.url + WRITE_RAW, flag + len(body).to_bytes(4, "big") + body, f"Content-Type: {GRPC}",
                    "TE: trailers", *headers, options=["--http2-prior-knowledge"])

    def labels(self, service, *more):
        return [("__name__", "kiln_cpu"), ("service_name", service), *more]

    def as_json(self, labels, raw):
        return json.dumps({"normalized": True, "series": [{
            "labels": {"labels": [{"name": n, "value": v} for n, v in labels]},
            "samples": [{"rawProfile": base64.b64encode(raw).decode()}]}]}).encode()

    def read(self, service, name):
        raw = self.profile(service, name=name)
        return raw or sys.exit(f"nothing of {service} is there")

    def query(self, service, report="REPORT_TYPE_PPROF", delta=":delta", name="kiln_cpu", where=""):
        when = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + d)) for d in (-86400, 3600)]
        query = urllib.parse.urlencode({
            "merge.query": f'{name}:cpu:nanoseconds:cpu:nanoseconds{delta}{{service_name="{service}"{where}}}',
            "mode": "MODE_MERGE", "report_type": report, "merge.start": when[0], "merge.end": when[1]})
        for _ in range(1 if self.is_stub else 20):
            answer = curl(f"{self.url}/api/profiles/query?{query}")
            if answer.status == 200:
                break
            time.sleep(0.3)
        return answer

    def profile(self, service, **more):
        answer = self.query(service, **more)
        return pprof.inflate(base64.b64decode(json.loads(answer.body)["pprof"])) if answer.status == 200 else None

    def total(self, service, **more):
        raw = self.profile(service, **more)
        return sum(v[-1] for _, v, _ in pprof.Profile(raw).samples) if raw else 0

    def run(self):
        for name, (raw, code) in PARCA.items():
            service, raw = self.service(), raw() if callable(raw) else raw
            body, as_json = self.body([(self.labels(service), [raw])]), self.as_json(self.labels(service + "j"), raw)
            answer = self.push(body)
            self.row(name, [answer.status, answer.grpc()], [200, code])
            answer = curl(self.url + "/api/profiles/writeraw", as_json, "Content-Type: application/json")
            self.row(name + ", as JSON", [answer.status, answer.code()],
                     [{0: 200, 3: 400, 2: 500}[code], code or None])
        self.requests()
        self.label_rules()
        self.missing_labels()
        self.one_module()
        for file in self.files:
            self.round_trip(file)
        if self.is_stub:
            self.kills_itself()

    def missing_labels(self):
        """To a label that is missing nothing is unlike; only = "" says that it is."""
        service = self.service()
        for labels in (("x", "1"),), ():
            self.push(self.body([(self.labels(service, *labels), [build()])]))
        wanted = {'x="1"': 1, 'x=""': 1, 'x!=""': 1, 'x=~".*",x!=""': 1, 'x!="2",x!=""': 1, 'x!="1",x!=""': 0}
        if self.is_stub:  # a real one sometimes has those without
            wanted.update({'x!="2"': 1, 'x=~".*"': 1})
        for more, n in wanted.items():
            self.row(more, self.total(service, where="," + more), n * 30000000)

    def one_module(self):
        """Functions of one name, file and line in two modules come back as those of the first."""
        service = self.service()
        raw = build(strings=STRINGS + (b"/bin/other",), mappings=((1, 7), (2, 9)),
                    locations=((1, 1, 0x1010, ((1, 7),)), (2, 2, 0x1020, ((1, 7),))))
        self.push(self.body([(self.labels(service), [raw])]))
        got = pprof.Profile(self.profile(service))
        used = {got.text(m[4]) for m in got.mappings for _, mapping, _, _ in got.locations if m[0] == mapping}
        self.row("modules of a function, and addresses", [used, {a for _, _, a, _ in got.locations}], [{"/bin/prog"}, {0}])

    def requests(self):
        body = self.body([(self.labels("t"), [build()])])
        answer = self.push(gzip.compress(body), "grpc-encoding: gzip", flag=b"\1")
        self.row("a compressed frame", [answer.status, answer.grpc()], [200, 0])
        answer = curl(self.url + "/v1development/profiles", body, "Content-Type: application/x-protobuf")
        if answer.status != 404 or self.is_stub:  # 404: built without its UI
            self.row("an unknown path is 200 and HTML", [answer.status, b"<html" in answer.body.lower(),
                                                         "html" in answer.headers.get("content-type", "")], [200, True, True])
        answer = curl(self.url + "/api/profiles/writeraw", gzip.compress(self.as_json(self.labels("t"), build())),
                      "Content-Type: application/json", "Content-Encoding: gzip")
        self.row("compressed JSON", answer.status, 400)
        service = self.service()
        self.push(self.body([(self.labels(service), [build()]), (self.labels(service, ("a", "b")), [b"junk"])]))
        self.row("one series fails, none is stored", self.total(service), 0)
        service = self.service()
        self.push(self.body([(self.labels(service), [build(duration_ns=0)])]))
        self.row("without a duration", [self.total(service), self.total(service, delta="")], [0, 30000000])
        if self.is_stub:
            slow = curl(self.url + WRITE_RAW, b"\0" + len(body).to_bytes(4, "big") + body * 200, f"Content-Type: {GRPC}",
                        "TE: trailers", options=["--http2-prior-knowledge", "--limit-rate", "6k"])
            self.row("too slow: 200 without grpc-status", [slow.status, slow.grpc()], [200, None])

    def kills_itself(self):
        service = self.service()
        nil = build(locations=((1, 1, 1, ((0, 7),)), (2, 1, 2, ((2, 8),))))
        answer = self.push(self.body([(self.labels(service), [nil])]))
        self.row("a line without a function is accepted", answer.grpc(), 0)
        bad = self.service()
        self.push(self.body([(self.labels(bad), [build(strings=STRINGS[:5] + (b"l\xff",) + STRINGS[6:])])]))
        self.row("a name that is no UTF-8: queries fail", self.query(bad).status, 500)
        self.query(service, "REPORT_TYPE_TOP")
        self.row("a TOP query over it kills the server", self.query(bad).status, 502)

    def label_rules(self):
        for name, labels, code in (("without __name__", [("service_name", "t")], 3),
                                   ("a label twice", self.labels("t", ("a", "1"), ("a", "2")), 3),
                                   ("a name with a dash", [("__name__", "kiln-cpu"), ("service_name", "t")], 2)):
            self.row(name, self.push(self.body([(labels, [build()])])).grpc(), code)

    def round_trip(self, file):
        service, raw = self.service(), self.retimed(file)
        delta = ":delta" if pprof.Profile(raw).duration_ns else ""
        answer, wanted = self.push(self.body([(self.labels(service), [gzip.compress(raw, 1)])])), self.sums(raw)
        got = self.profile(service, delta=delta)
        self.row("totals of " + os.path.basename(file), [answer.grpc(), bool(got) and self.sums(got) == wanted,
                                                         len(wanted) > 3], [0, True, True])


class Otlp(Table):
    is_pyroscope = False

    def request(self, raw=None, **more):
        parts = otlp_encode.encode(pprof.Profile(raw or build()), 0, **more)
        return otlp_encode.request(parts, {"service.name": self.service()}, time.time_ns(), os.urandom(16))

    def push(self, body, kind="application/x-protobuf", *headers):
        return curl(self.url + otlp.HTTP_PATH, body, f"Content-Type: {kind}", *headers)

    def run(self):
        other = self.is_pyroscope
        for kind, status in (("application/x-protobuf", 200), ("application/x-protobuf; charset=utf-8", 415 if other else 200),
                             ("application/protobuf", 200 if other else 415), ("text/plain", 415)):
            self.row(kind, self.push(self.request(), kind).status, status)
        self.row("gzip", self.push(gzip.compress(self.request()), "application/x-protobuf", "Content-Encoding: gzip").status, 200)
        self.row("a broken gzip", self.push(b"\x1f\x8b1", "application/x-protobuf", "Content-Encoding: gzip").status, 400)
        self.row("no profiles", self.push(b"").status, 500 if other else 200)
        self.row("junk", self.push(b"junk").status, 500 if other else 400)
        answer = curl(self.url + "/v1/profiles", self.request(), "Content-Type: application/x-protobuf")
        self.row("another path", answer.status, 404)
        if not other:
            self.row("without zero elements", self.push(self.request(zero_elements=False)).status, 200)
        self.grpc(other)

    def grpc(self, other):
        url = os.environ.get("STORE_GRPC_URL", self.url) + otlp.GRPC_PATH
        for name, body, code in (("gRPC", self.request(), 0), ("gRPC: no profiles", b"", 2 if other else 0)):
            answer = curl(url, otlp_encode.frame(body), f"Content-Type: {GRPC}", "TE: trailers",
                          options=["--http2-prior-knowledge"])
            self.row(name, [answer.status, answer.grpc()], [200, code])


class OtlpPyroscope(Otlp):
    is_pyroscope = True


class S3(Table):
    """STORE_KEY, STORE_SECRET: of the server; the bucket is the URL's path."""

    def put(self, key, body, digest="right", secret=None, region="us-east-1", method=("-X", "PUT")):
        given = {"right": hashlib.sha256(body).hexdigest(), "wrong": "0" * 64}.get(digest, digest)
        secret = secret or os.environ.get("STORE_SECRET", "SK")
        options = ["--aws-sigv4", f"aws:amz:{region}:s3", "-u", f"{os.environ.get('STORE_KEY', 'AK')}:{secret}"]
        headers = [f"x-amz-content-sha256: {given}"] if given else []
        return curl(f"{self.url}/{key}", body if method[1] == "PUT" else None, "Content-Type: application/gzip",
                    *headers, options=[*options, *method])

    def run(self):
        body = gzip.compress(build())
        for name, status, more in (("a hash", 200, {}), ("UNSIGNED-PAYLOAD", 200, {"digest": "UNSIGNED-PAYLOAD"}),
                                   ("a wrong hash", 400, {"digest": "wrong"}), ("a wrong region", 400, {"region": "eu-x-1"}),
                                   ("a wrong secret", 403, {"secret": "no"})):
            self.row(name, self.put(f"{self.run_id}/{name.replace(' ', '-')}", body, **more).status, status)
        answer = self.put(f"{self.run_id}/a-hash", b"", method=("-X", "GET"))
        self.row("what was put is there", [answer.status, answer.body == body], [200, True])
        self.row("what was refused is not", self.put(f"{self.run_id}/a-wrong-hash", b"", method=("-X", "GET")).status, 404)
        answer = self.put(f"?list-type=2&prefix={self.run_id}%2F", b"", method=("-X", "GET"))
        self.row("list", [answer.status, answer.body.count(b"<Key>"), f"{self.run_id}/a-hash".encode() in answer.body],
                 [200, 2, True])


KINDS = {"pyroscope": Pyroscope, "parca": Parca, "otlp": Otlp, "otlp-pyroscope": OtlpPyroscope, "s3": S3}


def main():
    arguments = [a for a in sys.argv[1:] if a != "--stub"]
    if len(arguments) < 2 or arguments[0] not in KINDS:
        sys.exit(__doc__)
    if "--read" in arguments:
        service, name = arguments[3:5]
        raw = KINDS[arguments[0]](arguments[1], False, ()).read(service, name)
        for function, (own, total) in Table.sums(raw).items():
            print(own, total, function, sep="\t")
        return
    table = KINDS[arguments[0]](arguments[1], "--stub" in sys.argv, arguments[2:])
    table.run()
    print(f"1..{table.rows}")
    sys.exit(table.failed > 0)



main()
