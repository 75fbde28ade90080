#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The user-space addresses of a perf.data, once each, as a pprof file without names.

usage: perf script -F comm,pid,tid,time,event,ip,dso --no-inline | window_profile.py OUT.pb
Prints "SAMPLES FRAMES FILES ADDRESSES". What perf prints of a user-space frame is the offset
in its file; files that are gone are left out. Shares no code with kiln.
"""
import os, re, sys

from make_profile import message, number

HEAD = re.compile(r"^\S.*?\s(\d+)/\d+\s+[\d.]+:")
FRAME = re.compile(r"^\s+([0-9a-f]+) \((/.*)\)$")


def read(lines):
    """(samples, frames, {(file, offset)})"""
    pairs, samples, frames = set(), 0, 0
    for line in lines:
        line = line.rstrip()
        if m := FRAME.match(line):
            frames += 1
            pairs.add((m[2], int(m[1], 16)))
        elif HEAD.match(line):
            samples += 1
    there = {path for path, _ in pairs if os.path.isfile(path)}
    return samples, frames, {p for p in pairs if p[0] in there}


def encode(pairs):
    """One sample with all addresses; a file lies at its own terabyte."""
    strings = ["", "cpu", "nanoseconds"]
    files = sorted({path for path, _ in pairs})
    value = message(1, number(1, 1) + number(2, 2))
    mappings, locations, ids = b"", b"", b""
    for i, path in enumerate(files):
        strings.append(path)
        mappings += message(3, number(1, i + 1) + number(2, i + 1 << 40) + number(3, i + 2 << 40) +
                            number(5, len(strings) - 1))
    at = {path: i + 1 for i, path in enumerate(files)}
    for i, (path, off) in enumerate(sorted(pairs)):
        locations += message(4, number(1, i + 1) + number(2, at[path]) +
                             number(3, (at[path] << 40) + off))
        ids += number(1, i + 1)
    return (value + message(2, ids + number(2, 1)) + mappings + locations +
            b"".join(message(6, s.encode("utf-8", "surrogateescape")) for s in strings))


def main():
    sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape")
    samples, frames, pairs = read(sys.stdin)
    with open(sys.argv[1], "wb") as out:
        out.write(encode(pairs))
    print(samples, frames, len({path for path, _ in pairs}), len(pairs))


main()
