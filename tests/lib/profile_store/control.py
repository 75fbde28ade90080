# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests ask and set, on a port of its own that has no faults. Texts are tab-separated lines.

GET  /test/totals     self, total, name of each function, largest first. dest, type (cpu), query ({a="b"}),
                      distinct=1: what came twice counts once; nameless=skip: as Pyroscope's flame graph
GET  /test/windows    one JSON object a profile: labels, times, id, sums of values, what is wrong with it. dest
GET  /test/times      time_ns, profiles, samples of each window. dest
GET  /test/duplicates number of profiles that came again, with the same labels and content. dest
GET  /test/problems   what real receivers would stumble over, and how often: N, text. dest
GET  /test/counts     dest, counter, value: requests, bytes, profiles, samples, refused, connections
GET  /test/requests   one JSON object a request. dest
GET  /test/raw        the n-th profile as it came, not compressed. dest, n
GET  /test/body       the n-th of the last requests of OTLP, not compressed. dest, n
GET  /test/objects    bytes, key. dest;  /test/object: dest, key
GET  /test/fault, PUT /test/fault     the faults: one, or a list (faults.py); DELETE: none
PUT  /test/set        {NAME: {setting: value}}: settings of destinations
PUT  /test/clear      forget what was received
PUT  /test/keep       {"keep": false}: count only, for load
"""
import json

import pprof
import rules
import selector
import store
from exchange import Response


def lines(rows):
    return Response(200, "".join("\t".join(map(str, row)) + "\n" for row in rows), "text/plain; charset=utf-8")


def clean(name):
    return name.replace("\t", " ").replace("\n", " ")


def problems_of(record):
    if isinstance(record, store.PprofRecord):
        raw = record.raw()
        profile = pprof.Profile(raw)
        out = rules.warnings(profile, raw)
        if any(s for _, _, labels in profile.samples for _, s, _, _ in labels):
            out.append("a label of a sample with a text: a series in Pyroscope, dropped by Parca")
        return out
    return record.problems


class Control:
    def __init__(self, records, faults, ports, settings):
        self.store, self.faults, self.ports, self.settings = records, faults, ports, settings

    def handle(self, request):
        name = request.path[len("/test/"):] if request.path.startswith("/test/") else ""
        method = getattr(self, f"{request.method.lower()}_{name}", None)
        if not method:
            return Response(404, __doc__, "text/plain")
        try:
            return method(request.arguments(), request.body)
        except (ValueError, KeyError, IndexError, TypeError) as error:
            return Response(400, f"{type(error).__name__}: {error}\n", "text/plain")

    def chosen(self, q):
        records = self.store.select(q.get("dest"), selector.parse(q.get("query", "")))
        return self.store.distinct(records) if q.get("distinct") == "1" else records

    def get_totals(self, q, body):
        merged, without = store.merge(self.chosen(q), q.get("type", "cpu"))
        if q.get("nameless") == "skip":
            named = pprof.Merged()
            for stack, value in merged.stacks.items():
                named.add(tuple(f for f in stack if f[0]), value)
            merged = named
        rows = sorted(((own, total, clean(name)) for name, (own, total) in merged.totals().items()),
                      key=lambda r: (-r[1], -r[0], r[2]))
        response = lines(rows)
        response.headers += [("x-total", str(merged.total())), ("x-without-type", str(without))]
        return response

    def get_windows(self, q, body):
        shown = [dict(r.shown(), problems=problems_of(r)) for r in self.chosen(q)]
        return Response(200, "".join(json.dumps(one) + "\n" for one in shown), "application/jsonl")

    def get_times(self, q, body):
        windows = {}
        for r in self.chosen(q):
            n, samples = windows.get(r.time_ns, (0, 0))
            windows[r.time_ns] = (n + 1, samples + r.samples_count)
        return lines((t, n, samples) for t, (n, samples) in sorted(windows.items()))

    def get_duplicates(self, q, body):
        records = self.store.select(q.get("dest"))
        return lines([(len(records) - len(self.store.distinct(records)),)])

    def get_problems(self, q, body):
        counts = {}
        for record in self.chosen(q):
            for one in problems_of(record):
                counts[one] = counts.get(one, 0) + 1
        return lines((n, one) for one, n in sorted(counts.items()))

    def get_counts(self, q, body):
        rows = [(dest, name, n) for (dest, name), n in sorted(self.store.counts.items())]
        rows += [(port.name, "connections", port.accepted) for port in self.ports.values()]
        return lines(row for row in rows if q.get("dest", row[0]) == row[0])

    def get_requests(self, q, body):
        return Response(200, "".join(json.dumps(r) + "\n" for r in list(self.store.requests)
                                     if q.get("dest", r["dest"]) == r["dest"]), "application/jsonl")

    def get_raw(self, q, body):
        return Response(200, self.store.select(q.get("dest"))[int(q.get("n", "0"))].raw(),
                        "application/octet-stream")

    def get_body(self, q, body):
        found = [body for dest, body in self.store.bodies if q.get("dest", dest) == dest]
        return Response(200, found[int(q.get("n", "0"))], "application/x-protobuf")

    def get_objects(self, q, body):
        return lines((len(found[0]), key) for (dest, key), found in sorted(self.store.objects.items())
                     if q.get("dest", dest) == dest)

    def get_object(self, q, body):
        return Response(200, self.store.objects[q["dest"], q["key"]][0], "application/octet-stream")

    def get_fault(self, q, body):
        return Response(200, json.dumps(self.faults.shown()) + "\n", "application/json")

    def put_fault(self, q, body):
        given = json.loads(body)
        rules_given = given if isinstance(given, list) else [given]
        for rule in rules_given:
            if rule.get("dest", next(iter(self.ports))) not in self.ports:
                raise ValueError(f"no destination {rule['dest']}: {', '.join(self.ports)}")
        self.faults.set([rule for rule in rules_given if rule.get("kind") != "gone"])
        for rule in rules_given:
            if rule.get("kind") == "gone":
                for name in [rule["dest"]] if "dest" in rule else list(self.ports):
                    self.ports[name].gone(rule.get("seconds", 1))
        return Response(200, "")

    def delete_fault(self, q, body):
        self.faults.set([])
        for port in self.ports.values():
            port.back()
        return Response(200, "")

    def put_set(self, q, body):
        for name, settings in json.loads(body).items():
            self.settings[name].update(settings)
        return Response(200, "")

    def put_clear(self, q, body):
        self.store.clear()
        return Response(200, "")

    def put_keep(self, q, body):
        self.store.keeps = bool(json.loads(body)["keep"])
        return Response(200, "")
