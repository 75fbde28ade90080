#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads OpenTelemetry profiles, so that tests do not believe kiln about kiln.

usage: otlp.py totals FILE...           one line a function: self, total, name, by name; "all" first
       otlp.py totals --official FILE   the same by OpenTelemetry's own classes (opentelemetry-proto)
       otlp.py totals --json FILE...    the same of what a Collector's file exporter wrote
       otlp.py totals --pprof FILE...   the same of pprof files, by samples
       otlp.py services FILE...         one line a service: samples, name
       otlp.py rules FILE...            says which rules of the format a request breaks; needs
                                        opentelemetry-proto

Files are ExportProfilesServiceRequest messages. Field numbers: open-telemetry/opentelemetry-proto,
opentelemetry/proto/profiles/v1development/profiles.proto, 1.10.
"""
import json
import sys

from profile import Profile, fields, message, numbers


class Totals:
    def __init__(self):
        self.functions = {}
        self.all = 0

    def add(self, names, value):
        """names: innermost first"""
        self.all += value
        for name in set(names):
            self.functions.setdefault(name, [0, 0])[1] += value
        if names:
            self.functions[names[0]][0] += value

    def print(self):
        print(f"{self.all} all")
        for name, (own, total) in sorted(self.functions.items()):
            print(f"{own} {total} {name}")


class Request:
    """stacks: names, innermost first; samples(): (service, stack, value)"""

    def __init__(self, data):
        request = message(data, 1)
        tables = message(request[2], *range(1, 8))
        strings = [s.decode("utf-8", "strict") for s in tables[5]]
        functions = [strings[message(f).get(1, 0)] for f in tables[3]]
        locations = [[functions[message(line).get(1, 0)] for line in message(l, 3)[3]]
                     for l in tables[2]]
        self.stacks = [[name for value in message(s, 1)[1] for i in numbers(value)
                        for name in locations[i]] for s in tables[7]]
        self.resources = request[1]

    def samples(self):
        for data in self.resources:
            resource = message(data, 2)
            service = None
            for attribute in message(resource[1], 1)[1]:
                pair = message(attribute)
                if pair[1] == b"service.name":
                    service = message(pair[2])[1].decode()
            for scope in resource[2]:
                for profile in message(scope, 2)[2]:
                    for data in message(profile, 2)[2]:
                        sample = message(data, 4)
                        value = [n for v in sample[4] for n in numbers(v)]
                        yield service, self.stacks[sample.get(1, 0)], value[0]


class OfficialRequest:
    def __init__(self, data):
        from opentelemetry.proto.collector.profiles.v1development import profiles_service_pb2
        self.request = profiles_service_pb2.ExportProfilesServiceRequest()
        self.request.ParseFromString(data)

    def samples(self):
        d = self.request.dictionary
        for resource in self.request.resource_profiles:
            service = [a.value.string_value for a in resource.resource.attributes
                       if a.key == "service.name"][0]
            for scope in resource.scope_profiles:
                for profile in scope.profiles:
                    for sample in profile.samples:
                        names = [d.string_table[d.function_table[line.function_index].name_strindex]
                                 for i in d.stack_table[sample.stack_index].location_indices
                                 for line in d.location_table[i].lines]
                        yield service, names, sample.values[0]


class JsonRequest:
    """protobuf's JSON: numbers that are 0 are missing, int64 are strings."""

    def __init__(self, request):
        d = request["dictionary"]
        self.strings = d["stringTable"]
        names = [self.strings[f.get("nameStrindex", 0)] for f in d["functionTable"]]
        locations = [[names[line.get("functionIndex", 0)] for line in l.get("lines", [])]
                     for l in d["locationTable"]]
        self.stacks = [[name for i in s.get("locationIndices", []) for name in locations[i]]
                       for s in d["stackTable"]]
        self.resources = request["resourceProfiles"]

    def samples(self):
        for resource in self.resources:
            service = None
            for a in resource["resource"]["attributes"]:
                key = a.get("key") or self.strings[a.get("keyStrindex", 0)]
                if key == "service.name":
                    value = a["value"]
                    service = value.get("stringValue") or \
                        self.strings[value.get("stringValueStrindex", 0)]
            for scope in resource["scopeProfiles"]:
                for profile in scope["profiles"]:
                    for sample in profile["samples"]:
                        yield (service, self.stacks[sample.get("stackIndex", 0)],
                               int(sample["values"][0]))


class NamedProfile(Profile):
    """With kiln's names for frames that have none: [libx.so]+0x12."""

    def location(self, data):
        number, (names, module) = super().location(data)
        m = message(data, 4)
        if not m[4]:
            base = module.rsplit("/", 1)[-1] or "[unknown]"
            base = "[kernel]" if base.startswith("[kernel.kallsyms]") else base
            base = base if base.startswith("[") else f"[{base}]"
            names = [f"{base}+0x{m[3]:x}" if m.get(3) else base]
        return number, (names, module)


class PprofRequest:
    def __init__(self, path):
        self.profile = NamedProfile(path)

    def samples(self):
        for values, labels, stack in self.profile.samples():
            yield labels.get("service_name"), [name for name, _ in stack[::-1]], values[0]


def requests(kind, paths):
    for path in paths:
        if kind == "--pprof":
            yield PprofRequest(path)
            continue
        with open(path, "rb") as file:
            data = file.read()
        if kind == "--json":
            for line in data.splitlines():
                yield JsonRequest(json.loads(line))
        else:
            yield (OfficialRequest if kind == "--official" else Request)(data)


# What each table's elements refer to: (table, index) pairs.
def references(d):
    for stack in d.stack_table:
        yield from (("location_table", i) for i in stack.location_indices)
    for location in d.location_table:
        yield "mapping_table", location.mapping_index
        yield from (("attribute_table", i) for i in location.attribute_indices)
        yield from (("function_table", line.function_index) for line in location.lines)
    for mapping in d.mapping_table:
        yield "string_table", mapping.filename_strindex
        yield from (("attribute_table", i) for i in mapping.attribute_indices)
    for function in d.function_table:
        yield "string_table", function.name_strindex
        yield "string_table", function.system_name_strindex
        yield "string_table", function.filename_strindex
    for attribute in d.attribute_table:
        yield "string_table", attribute.key_strindex
        yield "string_table", attribute.unit_strindex


def profile_references(profile):
    for kind in (profile.sample_type, profile.period_type):
        yield "string_table", kind.type_strindex
        yield "string_table", kind.unit_strindex
    for sample in profile.samples:
        yield "stack_table", sample.stack_index
        yield "link_table", sample.link_index
        yield from (("attribute_table", i) for i in sample.attribute_indices)


def broken_rules(request):
    d = request.dictionary
    names = [f.name for f in d.DESCRIPTOR.fields]
    used = {name: {0} for name in names}
    profiles = [p for r in request.resource_profiles for s in r.scope_profiles for p in s.profiles]
    for table, index in [*references(d), *(x for p in profiles for x in profile_references(p))]:
        if not 0 <= index < len(getattr(d, table)):
            yield f"{table}: {index} is dangling"
        used[table].add(index)
    for name in names:
        table = [e if isinstance(e, str) else e.SerializeToString(deterministic=True)
                 for e in getattr(d, name)]
        if not table or table[0]:
            yield f"{name}: element 0 is not empty"
        if len(set(table)) != len(table):
            yield f"{name}: duplicates"
        for i in set(range(len(table))) - used[name]:
            yield f"{name}: {i} is an orphan"
    for profile in profiles:
        if len(profile.profile_id) != 16:
            yield "profile_id has no 16 bytes"
        if any(len(s.values) != 1 for s in profile.samples):
            yield "a sample has not one value"
        keys = [(s.stack_index, tuple(sorted(s.attribute_indices))) for s in profile.samples]
        if len(set(keys)) != len(keys):
            yield "two samples are one"


def main():
    what, paths = sys.argv[1], sys.argv[2:]
    kind = paths.pop(0) if paths[0].startswith("--") else ""
    if what == "totals":
        totals = Totals()
        for request in requests(kind, paths):
            for _, names, value in request.samples():
                totals.add(names, value)
        totals.print()
    elif what == "services":
        services = {}
        for request in requests(kind, paths):
            for service, _, value in request.samples():
                services[service] = services.get(service, 0) + value
        for service, value in sorted(services.items()):
            print(value, service)
    elif what == "rules":
        broken = [rule for request in requests("--official", paths)
                  for rule in broken_rules(request.request)]
        print("\n".join(broken[:40]), end="\n" if broken else "")
        sys.exit(bool(broken))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
