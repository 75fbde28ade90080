# SPDX-License-Identifier: GPL-2.0-or-later
"""pprof to an OTLP request, for tests that must not believe kiln's encoder, and for load."""
from wire import put_bytes, put_fixed64, put_number, put_packed


class Table:
    """Entries by content; entry 0 is the zero entry."""

    def __init__(self, zero=b""):
        self.ids = {zero: 0}

    def __call__(self, entry):
        return self.ids.setdefault(entry, len(self.ids))

    def encode(self, number):
        return b"".join(put_bytes(number, entry) for entry in self.ids)


def resource(labels):
    return put_bytes(1, b"".join(put_bytes(1, put_bytes(1, k) + put_bytes(2, put_bytes(1, v)))
                                 for k, v in labels.items()))


def encode(profile, value=0, zero_elements=True):
    """(dictionary, profile without time): parts of a request; see request(). One type of value."""
    strings, functions, mappings, locations, stacks = Table(), Table(), Table(), Table(), Table()

    def string(i):
        return strings(profile.strings[i])

    function = {f[0]: functions(put_number(1, string(f[1])) + put_number(2, string(f[2])) +
                                put_number(3, string(f[3]))) for f in profile.functions}
    mapping = {m[0]: mappings(put_number(1, m[1]) + put_number(2, m[2]) + put_number(3, m[3]) +
                              put_number(4, string(m[4]))) for m in profile.mappings}
    location = {}
    for number, module, address, lines in profile.locations:
        location[number] = locations(put_number(1, mapping.get(module, 0)) + put_number(2, address) + b"".join(
            put_bytes(3, put_number(1, function.get(f, 0)) + put_number(2, n)) for f, n in lines))
    samples = b"".join(put_bytes(2, put_number(1, stacks(put_packed(1, [location[i] for i in ids]))) +
                                 put_packed(4, [values[value]])) for ids, values, _ in profile.samples)
    kind, period = profile.types[value], profile.period_type
    body = put_bytes(1, put_number(1, string(kind[0])) + put_number(2, string(kind[1]))) + samples
    body += put_bytes(5, put_number(1, string(period[0])) + put_number(2, string(period[1])))
    body += put_number(6, profile.period) + put_number(4, profile.duration_ns or 10**10)
    tables = ((1, mappings), (2, locations), (3, functions), (4, Table()), (5, strings), (6, Table()), (7, stacks))
    dictionary = b"".join(table.encode(number) for number, table in tables if zero_elements or len(table.ids) > 1)
    return dictionary, body


def request(parts, labels, time_ns, profile_id):
    dictionary, body = parts
    body += put_fixed64(3, time_ns) + put_bytes(7, profile_id)
    return put_bytes(1, resource(labels) + put_bytes(2, put_bytes(2, body))) + put_bytes(2, dictionary)


def frame(message):
    return b"\0" + len(message).to_bytes(4, "big") + message
