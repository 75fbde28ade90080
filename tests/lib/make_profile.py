#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes a pprof file from lines of text, sharing no code with kiln.

usage: make_profile.py < TEXT > FILE
Lines are tab-separated: count, labels ("comm=burn pid=7"; values that are numbers become numbers),
then one frame a field, root first: "NAME|FILE". "NAME|^" was inlined into the frame before it, and
"|FILE" is a frame without a name, "NAME @ SOURCE|FILE" one of a source file. A line "# TEXT" becomes a comment of the profile.
Values are [samples/count, cpu/nanoseconds] at 100 Hz. Fields: google/pprof, proto/profile.proto.
"""
import sys

PERIOD_NS = 10000000


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def number(field, n):
    return varint(field << 3) + varint(n & (1 << 64) - 1) if n else b""


def message(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data


class Ids:
    """Numbers things from `first` in the order they come."""

    def __init__(self, first):
        self.ids, self.first = {}, first

    def __getitem__(self, key):
        return self.ids.setdefault(key, self.first + len(self.ids))


class Profile:
    def __init__(self):
        self.strings, self.functions, self.mappings, self.locations = Ids(0), Ids(1), Ids(1), Ids(1)
        self.samples, self.comments = b"", b""
        self.strings[""]

    def value_type(self, name, unit):
        return number(1, self.strings[name]) + number(2, self.strings[unit])

    def label(self, text):
        key, value = text.split("=", 1)
        if value.isdigit():
            return number(1, self.strings[key]) + number(3, int(value))
        return number(1, self.strings[key]) + number(2, self.strings[value])

    def stack(self, frames):
        """Location ids, leaf first; a location is (file, names) with the innermost name first."""
        locations = []
        for frame in frames:
            name, file = frame.rsplit("|", 1)
            if file == "^":
                outer_file, names = locations.pop()
                locations.append((outer_file, (name,) + names))
            else:
                locations.append((file, (name,) if name else ()))
        return [self.locations[loc] for loc in reversed(locations)]

    def add(self, line):
        if line.startswith("# "):
            self.comments += number(13, self.strings[line[2:]])
            return
        count, labels, *frames = line.split("\t")
        out = b"".join(number(1, i) for i in self.stack(frames))
        out += number(2, int(count)) + number(2, int(count) * PERIOD_NS)
        out += b"".join(message(3, self.label(text)) for text in labels.split())
        self.samples += message(2, out)

    def location(self, i, file, names):
        out = number(1, i) + number(2, self.mappings[file]) + number(3, 0x1000 + 16 * i)
        for name in names:
            out += message(4, number(1, self.functions[tuple((name + " @ ").split(" @ ")[:2])]) +
                           number(2, 7))
        return message(4, out)

    def encode(self):
        out = message(1, self.value_type("samples", "count"))
        out += message(1, self.value_type("cpu", "nanoseconds")) + self.samples
        for (file, names), i in self.locations.ids.items():
            out += self.location(i, file, names)
        for file, i in self.mappings.ids.items():
            out += message(3, number(1, i) + number(2, 0x1000) + number(3, 1 << 32) +
                           number(5, self.strings[file]) + number(7, 1))
        for (name, source), i in self.functions.ids.items():
            out += message(5, number(1, i) + number(2, self.strings[name]) +
                           number(3, self.strings[name]) + number(4, self.strings[source]))
        out += message(11, self.value_type("cpu", "nanoseconds")) + number(12, PERIOD_NS)
        out += number(9, 1795313643000000000) + number(10, 10000000000) + self.comments
        for text in self.strings.ids:
            out += message(6, text.encode("utf-8", "surrogateescape"))
        return out


def main():
    profile = Profile()
    sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")  # names may be any bytes
    for line in sys.stdin.read().split("\n"):
        if line:
            profile.add(line)
    sys.stdout.buffer.write(profile.encode())


if __name__ == "__main__":
    main()
