# SPDX-License-Identifier: GPL-2.0-or-later
"""pprof profiles: read, judged by the rules that real servers have, merged, written.

Field numbers: github.com/google/pprof, proto/profile.proto. A sample here is (values, labels, stack): a stack
is a tuple of frames, leaf first; a frame is (name, module, address, file, line), an inlined one stands on its own.
"""
import gzip
import zlib

from wire import (Malformed, Message, put_bytes, put_number, put_packed, put_varint, signed, varint)


def inflate(data):
    """Raw, or gzip of one or several members. Malformed for what claims to be gzip and is not."""
    if data[:2] != b"\x1f\x8b":
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise Malformed(f"gzip: {error}") from None


class ValueType:
    def __init__(self, name, unit):
        self.name, self.unit = name, unit


class Profile:
    """A profile as its bytes say; texts stay bytes, and nothing is judged but the wire format."""

    def __init__(self, raw):
        m = Message(raw)
        self.strings = [s if isinstance(s, bytes) else b"" for s in m.all(6)]
        self.types = [(t.number(1), t.number(2)) for t in m.messages(1)]
        self.samples = [(s.numbers(1), [signed(v) for v in s.numbers(2)],
                         [(x.number(1), x.number(2), x.signed(3), x.number(4)) for x in s.messages(3)])
                        for s in m.messages(2)]
        self.mappings = [(x.number(1), x.number(2), x.number(3), x.number(4), x.number(5), x.number(6),
                          x.number(7)) for x in m.messages(3)]
        self.locations = [(x.number(1), x.number(2), x.number(3),
                           [(y.number(1), y.signed(2)) for y in x.messages(4)]) for x in m.messages(4)]
        self.functions = [(x.number(1), x.number(2), x.number(3), x.number(4)) for x in m.messages(5)]
        self.time_ns, self.duration_ns = m.signed(9), m.signed(10)
        period = m.message(11)
        self.period_type = (period.number(1), period.number(2))
        self.period = m.signed(12)
        self.comments = m.numbers(13)
        self.default_type = m.number(14)
        self.times = len(m.all(9))

    def text(self, index):
        return self.strings[index].decode("utf-8", "replace") if index < len(self.strings) else ""

    def type_names(self):
        return [(self.text(name), self.text(unit)) for name, unit in self.types]

    def string_indexes(self):
        for kind in self.types + [self.period_type]:
            yield from kind
        yield from self.comments
        yield self.default_type
        for _, _, labels in self.samples:
            for label in labels:
                yield from (label[0], label[1], label[3])
        for mapping in self.mappings:
            yield from mapping[4:6]
        for function in self.functions:
            yield from function[1:]

    def resolved(self, keep=lambda locations, values: True):
        """(values, labels, stack) of each sample that refers to what is there."""
        functions = {f[0]: f for f in self.functions}
        mappings = {m[0]: self.text(m[4]) for m in self.mappings}
        frames = {}
        for number, mapping, address, lines in self.locations:
            module = mappings.get(mapping, "")
            named = [functions[f] for f, _ in lines if f in functions]
            frames[number] = tuple((self.text(f[1]), module, address, self.text(f[3]), line)
                                   for f, (_, line) in zip(named, lines)) or ((None, module, address, "", 0),)
        for locations, values, labels in self.samples:
            if not keep(locations, values):
                continue
            stack = tuple(frame for one in locations for frame in frames.get(one, ()))
            yield values, [(self.text(k), self.text(s) if s else n) for k, s, n, _ in labels], stack

    def duplicate_locations(self):
        seen, twice = set(), set()
        for one in self.locations:
            (twice if one[0] in seen else seen).add(one[0])
        return twice


def frame_name(frame):
    """As people are shown it: nameless frames as Parca shows them."""
    name, module, address = frame[:3]
    return name if name else f"{module or '[unknown]'}+{address:#x}"


class Merged:
    """Samples of many profiles by stack; value is one number."""

    def __init__(self):
        self.stacks = {}

    def add(self, stack, value):
        self.stacks[stack] = self.stacks.get(stack, 0) + value

    def total(self):
        return sum(self.stacks.values())

    def totals(self, name=frame_name):
        """{name: (self, total)}: a function counts once a stack, however often it occurs in it."""
        own, cumulative = {}, {}
        for stack, value in self.stacks.items():
            names = [name(frame) for frame in stack]
            if names:
                own[names[0]] = own.get(names[0], 0) + value
            for one in set(names):
                cumulative[one] = cumulative.get(one, 0) + value
        return {one: (own.get(one, 0), value) for one, value in cumulative.items()}

    def encode(self, sample_type, period_type, period=0, time_ns=0, duration_ns=0):
        """A pprof profile with one type of value. Bytes, not compressed."""
        strings, functions, mappings, locations = {"": 0}, {}, {}, {}

        def string(value):
            return strings.setdefault(value, len(strings))

        def location(frame):
            name, module, address, file, line = frame
            mapping = mappings.setdefault(module, len(mappings) + 1) if module else 0
            function = functions.setdefault((name, file), len(functions) + 1) if name else 0
            return locations.setdefault((mapping, address, function, line), len(locations) + 1)

        body = b"".join(put_bytes(2, put_packed(1, [location(f) for f in stack]) + put_packed(2, [value]))
                        for stack, value in self.stacks.items())
        out = [put_bytes(1, put_number(1, string(sample_type[0])) + put_number(2, string(sample_type[1]))), body]
        for module, i in mappings.items():
            out.append(put_bytes(3, put_number(1, i) + put_number(5, string(module)) + put_number(7, 1)))
        for (mapping, address, function, line), i in locations.items():
            lines = put_bytes(4, put_number(1, function) + put_number(2, line)) if function else b""
            out.append(put_bytes(4, put_number(1, i) + put_number(2, mapping) + put_number(3, address) + lines))
        for (name, file), i in functions.items():
            out.append(put_bytes(5, put_number(1, i) + put_number(2, string(name)) +
                                 put_number(3, string(name)) + put_number(4, string(file))))
        out.append(put_number(9, time_ns) + put_number(10, duration_ns))
        out.append(put_bytes(11, put_number(1, string(period_type[0])) + put_number(2, string(period_type[1]))))
        out.append(put_number(12, period))
        out += [put_bytes(6, text) for text in strings]
        return b"".join(out)


def retimed(raw, time_ns):
    """The same profile (not compressed) at another time."""
    out, at = [], 0
    while at < len(raw):
        begin = at
        key, at = varint(raw, at)
        if key & 7 == 2:
            size, at = varint(raw, at)
            at += size
        elif key & 7 == 0:
            _, at = varint(raw, at)
        else:
            raise Malformed("no profile")
        if key >> 3 != 9:
            out.append(raw[begin:at])
    return b"".join(out) + put_varint(9 << 3) + put_varint(time_ns)
