#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes profiles as text for make_profile.py: small, large, recursive, wide, inlined and before, always the same.

usage: figures_profiles.py small|large|recursive|wide|inlined|before
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


# A third of the frames is inlined into the one before; functions of one name are in several files;
# threads have names of their own.
def inlined(shift=0):
    for i in range(600):
        pid, tid = 20 + i % 3, 20 + i % 7
        frames = ["main|/bin/inl"] + [
            f"{RANDOM.choice(('std::', 'app::', ''))}f{RANDOM.randrange(30)}" +
            RANDOM.choice(("", " @ /src/a/x.c", " @ /src/b/x.c", " @ y.c")) + "|" +
            RANDOM.choice(("/bin/inl", "/lib/libm.so", "^")) for _ in range(RANDOM.randrange(3, 18))]
        print(f"{max(1, 1 + i % 5 + (i % 3 - 1) * shift)}\tcomm={'inl' if pid == tid else f'worker{tid}'} pid={pid} thread_id={tid} "
              f"unit=u{i % 2}\t" + "\t".join(frames))


# The same program on another day.
def before():
    RANDOM.seed(8)
    inlined(1)


{"small": small, "large": large, "recursive": recursive, "wide": wide,
 "inlined": inlined, "before": before}[sys.argv[1]]()
