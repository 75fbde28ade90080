#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads a pprof file with a decoder of its own, so that tests do not believe kiln about kiln.

usage: profile.py samples FILE   one line a sample: count, ns, comm, pid, tid, stack, modules
                                 (tab-separated; frames root first, joined with ";", ";" in names
                                 shown as ":"; inlined frames stand on their own)
       profile.py comments FILE  one comment a line
       profile.py labels FILE    one line a sample: count, then key=value...
       profile.py mappings FILE  file, build id
       profile.py header FILE    key=value lines: types, period, time, duration

Field numbers: github.com/google/pprof, proto/profile.proto.
"""
import gzip
import sys


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def fields(data):
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        elif key & 7 == 2:
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
            if len(value) != size:
                raise ValueError("truncated field")
        elif key & 7 == 1:
            value, at = int.from_bytes(data[at:at + 8], "little"), at + 8
        else:
            raise ValueError(f"wire type {key & 7}")
        yield key >> 3, value


def numbers(value):
    if isinstance(value, int):
        return [value]
    out, at = [], 0
    while at < len(value):
        number, at = varint(value, at)
        out.append(number)
    return out


def signed(value):
    return value - (1 << 64) if value >> 63 else value


def message(data, *repeated):
    out = {number: [] for number in repeated}
    for number, value in fields(data):
        if number in repeated:
            out[number].append(value)
        else:
            out[number] = value
    return out


class Profile:
    def __init__(self, path):
        with open(path, "rb") as file:
            data = file.read()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        raw = message(data, 1, 2, 3, 4, 5, 6, 13)
        self.raw = raw
        self.strings = [s.decode("utf-8", "strict") for s in raw[6]]
        if self.strings[0] != "":
            raise ValueError("string 0 is not empty")
        self.types = [self.text(message(t).get(1, 0)) + "/" + self.text(message(t).get(2, 0))
                      for t in raw[1]]
        self.functions = {}
        for data in raw[5]:
            m = message(data)
            self.functions[m[1]] = self.text(m.get(2, 0))
        self.mappings = {}
        for data in raw[3]:
            m = message(data)
            self.mappings[m[1]] = (self.text(m.get(5, 0)), self.text(m.get(6, 0)))
        self.locations = dict(self.location(data) for data in raw[4])

    def text(self, index):
        return self.strings[index]

    def location(self, data):
        """id -> (names, innermost first; module)"""
        m = message(data, 4)
        names = [self.functions[message(line)[1]] for line in m[4]]
        module = self.mappings[m[2]][0] if m.get(2) else ""
        return m[1], (names or [hex(m.get(3, 0))], module)

    def samples(self):
        """(values, labels, [(function, module)...] root first)"""
        for data in self.raw[2]:
            m = message(data, 1, 2, 3)
            values = [signed(n) for value in m[2] for n in numbers(value)]
            labels = {}
            for label in m[3]:
                one = message(label)
                labels[self.text(one[1])] = (self.text(one[2]) if one.get(2)
                                             else signed(one.get(3, 0)))
            stack = []
            for location in (n for value in m[1] for n in numbers(value)):
                names, module = self.locations[location]
                stack += [(name, module) for name in names]
            yield values, labels, stack[::-1]


def clean(text):
    return text.replace(";", ":").replace("\t", " ")


def main():
    what, profile = sys.argv[1], Profile(sys.argv[2])
    out = sys.stdout.write
    if what == "samples":
        for values, labels, stack in profile.samples():
            out("\t".join([str(values[0]), str(values[1]), clean(str(labels.get("comm", ""))),
                           str(labels.get("pid", "")), str(labels.get("tid", "")),
                           ";".join(clean(name) for name, _ in stack),
                           ";".join(clean(module) for _, module in stack)]) + "\n")
    elif what == "labels":
        for values, labels, _ in profile.samples():
            out("\t".join([str(values[0])] + [f"{k}={v}" for k, v in sorted(labels.items())]) + "\n")
    elif what == "comments":
        for value in profile.raw[13]:
            for index in numbers(value):
                out(profile.text(index) + "\n")
    elif what == "mappings":
        for file, build_id in profile.mappings.values():
            out(f"{file}\t{build_id}\n")
    elif what == "header":
        raw = profile.raw
        period = message(raw.get(11, b""))
        out(f"types={','.join(profile.types)}\n"
            f"period_type={profile.text(period.get(1, 0))}/{profile.text(period.get(2, 0))}\n"
            f"period={raw.get(12, 0)}\ntime_ns={raw.get(9, 0)}\nduration_ns={raw.get(10, 0)}\n"
            f"default={profile.text(raw.get(14, 0))}\n")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
