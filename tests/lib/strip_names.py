#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Takes the names out of a pprof file: functions, lines and the mappings' claims to have them.

usage: strip_names.py [--no-ids] [--file PATH] <FILE >OUT (not compressed; FILE may be gzip)
  --no-ids     without build ids too
  --file PATH  as if all files had been there
Fields: github.com/google/pprof, proto/profile.proto.
"""
import argparse
import gzip
import sys

MAPPING, LOCATION, FUNCTION, STRING = 3, 4, 5, 6
LOCATION_LINE = 4
MAPPING_FILE, MAPPING_ID, MAPPING_FLAGS = 5, 6, (7, 8, 9, 10)


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def put_varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def fields(data):
    """(number, bytes of the whole field, its contents if it has a length)"""
    at = 0
    while at < len(data):
        start = at
        key, at = varint(data, at)
        content = None
        if key & 7 == 2:
            size, at = varint(data, at)
            content = data[at:at + size]
            at += size
        else:
            _, at = varint(data, at)
        yield key >> 3, data[start:at], content


def field(number, content):
    return put_varint(number << 3 | 2) + put_varint(len(content)) + content


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--no-ids", action="store_true")
    parser.add_argument("--file")
    options = parser.parse_args()
    data = sys.stdin.buffer.read()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    n_strings = sum(1 for number, _, _ in fields(data) if number == STRING)
    drop = set(MAPPING_FLAGS)
    if options.no_ids:
        drop.add(MAPPING_ID)
    out = b""
    for number, whole, content in fields(data):
        if number == LOCATION:
            out += field(number, b"".join(w for n, w, _ in fields(content) if n != LOCATION_LINE))
        elif number == MAPPING:
            kept = b"".join(w for n, w, _ in fields(content)
                            if n not in drop and not (options.file is not None and n == MAPPING_FILE))
            if options.file is not None:
                kept += put_varint(MAPPING_FILE << 3) + put_varint(n_strings)
            out += field(number, kept)
        elif number != FUNCTION:
            out += whole
    if options.file is not None:
        out += field(STRING, options.file.encode())
    sys.stdout.buffer.write(out)


main()
