# SPDX-License-Identifier: GPL-2.0-or-later
"""A window as the inserts that ClickHouse gets of it, in format Native; shares no code with kiln.

The tables are those of profiler/clickhouse/ch_schema.h. What is the same for all hosts is made once; of a window
that is sent only the columns host and time differ.
"""
import hashlib
import os
import struct
import time
import urllib.parse

CPU = "cpu/nanoseconds"


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)
    return bytes(out)


def text(value):
    raw = value if isinstance(value, bytes) else value.encode("utf-8", "surrogateescape")
    return varint(len(raw)) + raw


def module_of(path):
    """As kiln report prints it."""
    if not path:
        return "[unknown]"
    if path.startswith("[kernel.kallsyms]"):
        return "[kernel]"
    if path.startswith("//anon"):
        return "[jit]"
    tail = path.rsplit("/", 1)[-1]
    return tail if path[0] != "[" and tail else path


def first_eight(data):
    return int.from_bytes(hashlib.sha256(data).digest()[:8], "little")


def function_of(frame):
    """(name, module) as kiln report prints them."""
    name, module = frame[0], module_of(frame[1])
    return (name or (module if module[0] == "[" else f"[{module}]"), module)


def function_id(function):
    return first_eight(b"\0".join(part.encode("utf-8", "surrogateescape") for part in function))


def block(columns, rows):
    """columns: (name, type, data)"""
    return varint(len(columns)) + varint(rows) + b"".join(text(n) + text(t) + d for n, t, d in columns)


def strings(values):
    return b"".join(map(text, values))


def arrays(rows, letter):
    ends, total = [], 0
    for row in rows:
        total += len(row)
        ends.append(total)
    flat = [x for row in rows for x in row]
    return struct.pack(f"<{len(ends)}Q", *ends) + struct.pack(f"<{len(flat)}{letter}", *flat)


class Shape:
    """What a window is but for its host and its time."""

    def __init__(self, profile, service, slower=None):
        """slower: (function's name, factor): this build spends more time there."""
        self.service, self.period = service, profile.period
        index = [i for i, t in enumerate(profile.type_names()) if "/".join(t) == CPU][0]
        self.functions, self.stacks, sums = {}, {}, {}
        for values, labels, stack in profile.resolved():
            functions = [function_of(frame) for frame in stack]
            for function, frame in zip(functions, stack):
                self.functions.setdefault(function_id(function), (*function, frame[3]))
            ids = tuple(function_id(f) for f in functions)
            lines = tuple(frame[4] & 0xffffffff for frame in stack)
            hashed = first_eight(b"".join(struct.pack("<QI", *pair) for pair in zip(ids, lines)))
            self.stacks[hashed] = (ids, lines)
            comm = dict(labels).get("comm", "")
            value = values[index]
            if slower and functions and functions[0][0] == slower[0]:
                value = int(value * slower[1]) // self.period * self.period
            if value:
                sums[comm, hashed] = sums.get((comm, hashed), 0) + value
        self.rows = [(comm, hashed, value) for (comm, hashed), value in sums.items()]
        self.value = sum(row[2] for row in self.rows)
        self.hash_sum = sum(row[1] for row in self.rows) & (1 << 64) - 1

    def day(self, at):
        return struct.pack("<H", int(at) // 86400)

    def insert_functions(self, at):
        rows = [(i, *f) for i, f in self.functions.items()]
        n = len(rows)
        return "functions", block([
            ("id", "UInt64", struct.pack(f"<{n}Q", *(r[0] for r in rows))),
            ("func", "String", strings(r[1] for r in rows)),
            ("module", "String", strings(r[2] for r in rows)),
            ("file", "String", strings(r[3] for r in rows)),
            ("build", "String", b"\0" * n),
            ("day", "Date", self.day(at) * n)], n)

    def insert_stacks(self, at):
        n = len(self.stacks)
        return "stacks", block([
            ("service", "String", text(self.service) * n),
            ("hash", "UInt64", struct.pack(f"<{n}Q", *self.stacks)),
            ("day", "Date", self.day(at) * n),
            ("funcs", "Array(UInt64)", arrays([s[0] for s in self.stacks.values()], "Q")),
            ("lines", "Array(UInt32)", arrays([s[1] for s in self.stacks.values()], "I"))], n)

    def insert_samples(self, host, at):
        n = len(self.rows)
        return "samples", block([
            ("service", "String", text(self.service) * n),
            ("type", "String", text(CPU) * n),
            ("time", "DateTime", struct.pack("<I", int(at)) * n),
            ("host", "String", text(host) * n),
            ("hash", "UInt64", struct.pack(f"<{n}Q", *(r[1] for r in self.rows))),
            ("value", "Int64", struct.pack(f"<{n}q", *(r[2] for r in self.rows))),
            ("namespace", "String", text("fleet") * n),
            ("pod", "String", b"\0" * n),
            ("unit", "String", b"\0" * n),
            ("comm", "String", strings(r[0] for r in self.rows))], n)

    def insert_window(self, host, at, duration_s):
        samples = self.value // self.period
        numbers = {"id": int.from_bytes(os.urandom(8), "little"), "duration_ns": int(duration_s * 1e9),
                   "period_ns": self.period, "expected": samples, "idle": 0, "stolen": 0, "filtered": 0,
                   "recorded": samples, "lost": 0, "user_complete": samples, "user_truncated": 0,
                   "user_missing": 0, "kernel_missing": 0, "frames": samples, "frames_named": samples,
                   "rows": len(self.rows)}
        columns = [("host", "String", text(host)), ("time", "DateTime", struct.pack("<I", int(at)))]
        columns += [(name, "UInt64", struct.pack("<Q", v)) for name, v in numbers.items()]
        columns += [("begin_ns", "Int64", struct.pack("<q", int(at * 1e9))),
                    ("value", "Int64", struct.pack("<q", self.value)),
                    ("hash_sum", "UInt64", struct.pack("<Q", self.hash_sum)), ("kiln", "String", text("load"))]
        return "windows", block(columns, 1)

    def inserts(self, host, at, duration_s, is_new):
        """(table, body) in order: a host's first window brings its stacks."""
        if is_new:
            yield self.insert_functions(at)
            yield self.insert_stacks(at)
        yield self.insert_samples(host, at)
        yield self.insert_window(host, at, duration_s)


def path_of(database, table):
    return f"/?database={database}&query=" + urllib.parse.quote(f"INSERT INTO {table} FORMAT Native")


# As a program: fills a database with a fleet, for tests.
def main():
    import argparse
    import sys
    import urllib.request
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "profile_store"))
    import pprof
    p = argparse.ArgumentParser(description="sends windows of simulated hosts, all of one service")
    p.add_argument("url", help="http://HOST:PORT/DATABASE")
    p.add_argument("file", help="a pprof profile")
    p.add_argument("--service", default="api")
    p.add_argument("--hosts", type=int, default=40)
    p.add_argument("--windows", type=int, default=10, help="of each host")
    p.add_argument("--every", type=float, default=60, help="seconds from one to the next")
    p.add_argument("--until", type=float, default=0, help="end of the last one, seconds since 1970 (now)")
    p.add_argument("--suffix", default="", help="of the tables: _local of a shard")
    p.add_argument("--slower", nargs=3, metavar=("HOST", "FUNCTION", "FACTOR"),
                   help="that host's build spends more time there; HOST all: each one's")
    o = p.parse_args()
    with open(o.file, "rb") as file:
        profile = pprof.Profile(pprof.inflate(file.read()))
    base, database = o.url.rsplit("/", 1)
    usual = Shape(profile, o.service)
    odd = Shape(profile, o.service, (o.slower[1], float(o.slower[2]))) if o.slower else usual
    until, sent = o.until or time.time(), set()
    for host in range(o.hosts):
        name = f"host-{host:02d}"
        shape = odd if o.slower and o.slower[0] in (name, "all") else usual
        for window in range(o.windows):
            # Each host has a phase of its own.
            at = until - o.every * (o.windows - window) + host % 10
            # Stacks are sent in each week that has samples of them.
            week = (shape, (int(at) // 86400 - 4) // 7)
            for table, body in shape.inserts(name, at, o.every, week not in sent):
                urllib.request.urlopen(base + path_of(database, table + o.suffix), body).read()
            sent.add(week)


if __name__ == "__main__":
    main()
