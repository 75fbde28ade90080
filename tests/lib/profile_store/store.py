# SPDX-License-Identifier: GPL-2.0-or-later
"""What was received: one record a profile, in memory, and in a journal that a killed server reads again.

The journal holds what was accepted, one JSON object a line, written before the answer.
"""
import base64
import collections
import hashlib
import json
import threading
import time
import zlib

import otlp
import pprof
import selector

KEPT_BODIES = 200


class Record:
    """One profile of one destination. Its samples are decoded when they are asked for."""

    def __init__(self, dest, labels, received_ns, tenant="", id=""):
        self.dest, self.labels, self.received_ns, self.tenant, self.id = dest, labels, received_ns, tenant, id
        self.time_ns = self.duration_ns = self.period = self.samples_count = 0
        self.types, self.period_type, self.sha, self.problems = [], ("", ""), "", []

    def value_index(self, kind):
        """Which value is "cpu", and what it is to be multiplied with; None: it has no such type."""
        names = [name for name, _ in self.types]
        if kind in names:
            return names.index(kind), 1
        if names == ["samples"] and kind == self.period_type[0]:
            return 0, self.period
        return None

    def shown(self):
        return {"dest": self.dest, "tenant": self.tenant, "labels": self.labels, "id": self.id,
                "received_ns": self.received_ns, "time_ns": self.time_ns, "duration_ns": self.duration_ns,
                "types": ["/".join(t) for t in self.types], "period_type": "/".join(self.period_type),
                "period": self.period, "samples": self.samples_count, "sums": self.sums(), "sha256": self.sha,
                "problems": self.problems}

    def sums(self):
        out = [0] * len(self.types)
        for values, _, _ in self.samples():
            out = [a + b for a, b in zip(out, values)]
        return out


class PprofRecord(Record):
    def __init__(self, dest, labels, raw, profile, received_ns, drops=False, **more):
        super().__init__(dest, labels, received_ns, **more)
        self.packed, self.drops, self.cache = zlib.compress(raw, 1), drops, None
        self.size = len(raw)
        self.sha = hashlib.sha256(raw).hexdigest()
        self.time_ns, self.duration_ns = profile.time_ns or received_ns, profile.duration_ns
        self.types, self.period = profile.type_names(), profile.period
        self.period_type = tuple(profile.text(i) for i in profile.period_type)
        self.samples_count = len(profile.samples)

    def raw(self):
        return zlib.decompress(self.packed)

    def samples(self):
        """Without those that Pyroscope drops, and with its names, where it is one."""
        import rules
        profile = pprof.Profile(self.raw())
        if self.drops:
            rules.as_pyroscope_names(profile)
        keep = rules.keeps(profile) if self.drops else lambda locations, values: True
        return profile.resolved(keep)


class OtlpRecord(Record):
    def __init__(self, dest, labels, profile, received_ns, **more):
        super().__init__(dest, labels, received_ns, **more)
        self.sha, self.time_ns, self.duration_ns = profile.sha, profile.time_ns, profile.duration_ns
        self.types, self.period_type, self.period = [profile.type], profile.period_type, profile.period
        self.samples_count, self.kept = len(profile.samples), profile.samples

    def samples(self):
        return iter(self.kept)


class Store:
    def __init__(self, journal=None):
        self.lock = threading.Lock()
        self.records, self.objects = [], collections.OrderedDict()
        self.requests = []  # (destination, ns, method, path, bytes, content type)
        self.counts = collections.Counter()
        self.bodies = collections.deque(maxlen=KEPT_BODIES)  # of OTLP: (destination, bytes)
        self.keeps = True
        self.journal = None
        if journal:
            self.replay(journal)
            self.journal = open(journal, "a", encoding="ascii")

    def replay(self, path):
        try:
            with open(path, encoding="ascii") as file:
                lines = file.read().split("\n")
        except FileNotFoundError:
            return
        for line in lines[:-1]:  # what follows the last newline was cut by a kill
            entry = json.loads(line)
            raw = base64.b64decode(entry.pop("raw"))
            form = entry.pop("form")
            if form == "pprof":
                self.records.append(PprofRecord(raw=raw, profile=pprof.Profile(raw), **entry))
            elif form == "otlp":
                self.records += otlp_records(entry["dest"], raw, entry["received_ns"], entry["reads_strindex"])
            else:
                self.objects[entry["dest"], entry["key"]] = (raw, entry["received_ns"], entry["type"])

    def write(self, form, raw, **entry):
        if self.journal:
            entry.update(form=form, raw=base64.b64encode(raw).decode())
            self.journal.write(json.dumps(entry) + "\n")
            self.journal.flush()

    def add_pprof(self, items):
        """[(dest, labels, raw, profile, more)], all or, if the process dies, a beginning of them."""
        now = time.time_ns()
        with self.lock:
            for dest, labels, raw, profile, more in items:
                self.counts[dest, "profiles"] += 1
                self.counts[dest, "samples"] += len(profile.samples) if profile else 0
                if self.keeps:
                    self.write("pprof", raw, dest=dest, labels=labels, received_ns=now, **more)
                    self.records.append(PprofRecord(dest, labels, raw, profile, now, **more))

    def add_otlp(self, dest, body, reads_strindex):
        now = time.time_ns()
        records = otlp_records(dest, body, now, reads_strindex)
        with self.lock:
            self.counts[dest, "profiles"] += len(records)
            self.counts[dest, "samples"] += sum(r.samples_count for r in records)
            if self.keeps:
                self.write("otlp", body, dest=dest, received_ns=now, reads_strindex=reads_strindex)
                self.records += records
                self.bodies.append((dest, body))
        return records

    def put_object(self, dest, key, body, content_type):
        now = time.time_ns()
        with self.lock:
            self.counts[dest, "objects"] += 1
            self.counts[dest, "overwritten"] += (dest, key) in self.objects
            if self.keeps:
                self.write("object", body, dest=dest, key=key, received_ns=now, type=content_type)
                self.objects[dest, key] = (body, now, content_type)

    def note(self, dest, request):
        with self.lock:
            self.counts[dest, "requests"] += 1
            self.counts[dest, "bytes"] += len(request.body)
            if self.keeps:
                self.requests.append({"dest": dest, "at_ns": time.time_ns(), "method": request.method,
                                      "path": request.target, "bytes": len(request.body),
                                      "version": request.version, "headers": shown_headers(request)})

    def refuse(self, dest, why):
        with self.lock:
            self.counts[dest, "refused"] += 1
            self.counts[dest, f"refused: {why[:80]}"] += 1

    def clear(self):
        with self.lock:
            self.records, self.objects, self.requests = [], collections.OrderedDict(), []
            self.counts.clear()
            self.bodies.clear()
            if self.journal:
                self.journal.truncate(0)

    # Queries.
    def select(self, dest=None, matchers=(), since_ns=0, until_ns=1 << 63, tenant=None):
        with self.lock:
            records = list(self.records)
        return [r for r in records if (dest is None or r.dest == dest) and
                (tenant is None or r.tenant == tenant) and since_ns <= r.time_ns <= until_ns and
                selector.matches(matchers, r.labels)]

    @staticmethod
    def distinct(records):
        seen, out = set(), []
        for record in records:
            key = (record.dest, record.tenant, tuple(sorted(record.labels.items())), record.sha)
            if key not in seen:
                seen.add(key)
                out.append(record)
        return out


def shown_headers(request):
    """Secrets are not shown, but whether there were any."""
    return {k: v.split(" ")[0] + " ..." if k == "authorization" else v for k, v in request.headers.items()}


def otlp_records(dest, body, received_ns, reads_strindex):
    out = []
    for labels, profile in otlp.profiles(body, reads_strindex):
        record = OtlpRecord(dest, labels, profile, received_ns, id=profile.id)
        record.problems = profile.problems
        out.append(record)
    return out


def merge(records, kind, keep=lambda labels: True):
    """Of one type of value; (Merged, records that have no such type)."""
    merged, without = pprof.Merged(), 0
    for record in records:
        index = record.value_index(kind)
        if index is None:
            without += 1
            continue
        i, factor = index
        for values, labels, stack in record.samples():
            if keep(labels):
                merged.add(stack, values[i] * factor)
    return merged, without
