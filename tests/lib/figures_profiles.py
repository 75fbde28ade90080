#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes profiles as text for make_profile.py: small, large, recursive and wide, always the same.

usage: figures_profiles.py small|large|recursive|wide
"""
import random
import sys

RANDOM = random.Random(7)


def line(count, comm, pid, frames):
    print(f"{count}\tcomm={comm} pid={pid} thread_id={pid}\t" + "\t".join(frames))


def small():
    line(40, "app", 7, ["main|/bin/app", "work<int>|/bin/app", "spin|/bin/app"])
    line(10, "app", 7, ["main|/bin/app", "work<int>|/bin/app", "hash|^"])
    line(20, "app", 7, ["main|/bin/app", "fib|/bin/app", "fib|/bin/app", "fib|/bin/app"])
    line(10, "app", 8, ["main|/bin/app", "read|/lib/libc.so.6", "vfs_read|[kernel.kallsyms]"])
    line(5, "node", 9, ["start|/bin/node", "|/bin/node", "spin|/bin/node"])
    line(4, "node", 9, ["start|/bin/node", "|/bin/node"])
    print("6\t\t[lost samples]|[kiln]")


# More nodes than a page draws: most functions are to be found in the hidden ones only.
def large():
    for i in range(11000):
        line(1 + i % 3, "big", 5, ["main|/bin/big"] + [
            f"ns{d % 7}::call<int>::f{RANDOM.randrange(400)}|/lib/lib{d % 5}.so"
            for d in range(28)])


def recursive():
    for _ in range(1500):
        line(1, "rec", 6, ["main|/bin/rec"] + [
            RANDOM.choice(("dfs", "dfs", "match", "repeat")) + "|/bin/rec"
            for _ in range(RANDOM.randrange(100, 280))] + ["step|/bin/rec"])


def wide():
    for pid in range(100, 3100):
        for _ in range(4):
            line(1, f"cc{pid % 9}", pid, ["_start|/bin/cc", "main|/bin/cc"] + [
                f"pass{RANDOM.randrange(900)}|/bin/cc" for _ in range(7)])


{"small": small, "large": large, "recursive": recursive, "wide": wide}[sys.argv[1]]()
