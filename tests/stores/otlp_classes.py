# SPDX-License-Identifier: GPL-2.0-or-later
"""Decodes a request of OTLP profiles with OpenTelemetry's own classes, in the virtual environment that
tests/stores/get makes. usage: otlp_classes.py FILE [samples|cpu]

Prints self, total and name of each function, as the protocol server does, and exits with 1 if a field is not
known to them, or an index is out of range.
"""
import sys

from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.collector.profiles.v1development import profiles_service_pb2


def check_known(message, path="request"):
    if len(UnknownFieldSet(message)):
        sys.exit(f"{path}: a field that the schema does not have")
    for field, value in message.ListFields():
        if field.message_type:
            repeated = not hasattr(value, "DESCRIPTOR")
            for one in value if repeated else [value]:
                check_known(one, f"{path}.{field.name}")


def main():
    request = profiles_service_pb2.ExportProfilesServiceRequest()
    with open(sys.argv[1], "rb") as file:
        request.ParseFromString(file.read())
    check_known(request)
    d, own, cumulative = request.dictionary, {}, {}
    for table in (d.mapping_table, d.location_table, d.function_table, d.link_table, d.string_table,
                  d.attribute_table, d.stack_table):
        if not table or table[0] != type(table[0])():
            sys.exit("a table of the dictionary has no zero element")
    for profile in (p for r in request.resource_profiles for s in r.scope_profiles for p in s.profiles):
        kind = d.string_table[profile.sample_type.type_strindex]
        factor = profile.period if kind == "samples" else 1
        for sample in profile.samples:
            names = []
            for i in d.stack_table[sample.stack_index].location_indices:
                location = d.location_table[i]
                lines = [d.string_table[d.function_table[x.function_index].name_strindex] for x in location.lines]
                module = d.string_table[d.mapping_table[location.mapping_index].filename_strindex]
                names += lines or [f"{module or '[unknown]'}+{location.address:#x}"]
            value = sum(sample.values) * factor if sample.values else len(sample.timestamps_unix_nano) * factor
            if names:
                own[names[0]] = own.get(names[0], 0) + value
            for name in set(names):
                cumulative[name] = cumulative.get(name, 0) + value
    rows = [(own.get(name, 0), total, name) for name, total in cumulative.items()]
    for row in sorted(rows, key=lambda r: (-r[1], -r[0], r[2])):
        print(*row, sep="\t")


main()
