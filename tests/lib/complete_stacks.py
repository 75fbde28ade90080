#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Which user stacks reach the first function of their thread: one rule for every profiler's output.

usage: complete_stacks.py kiln       `profile.py samples` of a profile with user frames only
       complete_stacks.py perf       `perf script -F comm,pid,ip,sym,dso`
       complete_stacks.py bpftrace   a printed map @[..., ustack]
       ... --worst N                 also the N commonest outermost frames of the others, and what
                                     called from there
       ... --through REGEXP          a stack counts only if the root is confirmed: below the C library's call
                                     of main() is main(), and a function matches that each stack of the
                                     program has, but for those of its start and end

All read standard input and print "SHARE COMPLETE ALL": per cent, and samples. Samples without any
user frame (kernel threads, a process in the middle of an exec) do not count.
"""
import collections
import re
import sys

# Functions that nothing calls. Go's mcall() leaves its stack for good. So does morestack(), but its
# goroutine has callers.
ROOT = re.compile(r"(_start|_dl_start_user|_dl_start|__libc_start_main.*|__libc_start_call_main"
                  r"|start_thread|thread_start|clone3?|__clone3?|__clone_internal"
                  r"|_rt0_amd64(_linux)?|runtime\.(goexit|mstart|rt0_go|mcall)(\.abi0)?)$")
# A stripped program's _start has no name, but its callee in the C library has one.
BELOW_START = re.compile(r"__libc_start_main")
NO_NAME = re.compile(r"(0x[0-9a-f]+|[0-9a-f]{6,}|\[.*\]|.*\+(sub_|0x)[0-9a-f]+)$")


def is_complete(stack):
    """Outermost frame first."""
    if ROOT.match(stack[0]):
        return True
    return len(stack) > 1 and bool(NO_NAME.match(stack[0]) and BELOW_START.match(stack[1]))


# What main() is called by, and what is called in its place.
CALLS_MAIN = re.compile(r"__libc_start_call_main$")
CALLED_MAIN = re.compile(r"(main|exit|__libc_\w+)$")
# Start and end of a program, also of those that it becomes by exec.
NOT_MAIN = re.compile(r"(_dl_\w+|call_init|call_fini|_init|_fini|exit|__run_exit_handlers|__libc_csu_init"
                      r"|__nptl_deallocate_tsd|__call_tls_dtors)$")


def is_confirmed(stack, through):
    """By what the program is known to have below its root, so that no jump over it counts."""
    if not is_complete(stack):
        return False
    for caller, callee in zip(stack, stack[1:]):
        if CALLS_MAIN.match(caller) and not (CALLED_MAIN.match(callee) or NO_NAME.match(callee)
                                             or through.search(callee)):  # main() may jump there
            return False
    if any(NOT_MAIN.match(name) for name in stack[:6]):
        return True
    return any(through.search(name) for name in stack)


def bare(name):
    """Without an offset (bpftrace) and a symbol version."""
    return re.sub(r"@@?[A-Za-z_]+[0-9.]+$", "", re.sub(r"\+[0-9]+$", "", name))


def read_kiln(lines):
    for line in lines:
        count, _, comm, _, _, names, modules = line.rstrip("\n").split("\t")
        stack = [bare(n) for n in names.split(";")]
        if modules.split(";")[0] == "[kiln]" and stack[0] in ("[kernel]", "[user]", "[lost samples]"):
            continue
        yield int(count), comm, stack


def read_perf(lines):
    comm, stack = "", []
    for line in list(lines) + ["\n"]:
        if not line.strip():
            if stack:
                yield 1, comm, stack[::-1]
            stack = []
        elif line[0].isspace() and stack is not None and re.match(r"\s+[0-9a-f]+ ", line):
            address, rest = line.strip().split(" ", 1)
            if not address.startswith("ffff"):
                name, _, module = rest.rpartition(" (")
                stack.append(bare(name) if name != "[unknown]" else f"0x{address}")
        else:
            comm, stack = line.rsplit(None, 1)[0].strip(), []


def read_bpftrace(lines):
    comm, stack = None, []
    for line in lines:
        line = line.strip()
        end = re.match(r"\]: ([0-9]+)$", line)
        if line.startswith("@["):
            comm, stack = line[2:].rstrip(", "), []
        elif end and comm is not None:
            if stack:
                yield int(end[1]), comm, stack[::-1]
            comm = None
        elif line and comm is not None:
            stack.append(bare(line))


def main():
    args = sys.argv[1:]
    worst = int(args.pop(args.index("--worst") + 1)) if "--worst" in args else 0
    through = re.compile(args.pop(args.index("--through") + 1)) if "--through" in args else None
    read = {"kiln": read_kiln, "perf": read_perf, "bpftrace": read_bpftrace}[args[0]]
    complete = everything = 0
    ends = collections.Counter()
    for count, comm, stack in read(sys.stdin):
        everything += count
        if is_confirmed(stack, through) if through else is_complete(stack):
            complete += count
        else:
            ends[comm + ": " + " <- ".join(stack[:4])] += count
    print(f"{100 * complete / everything if everything else 0:.2f} {complete} {everything}")
    for end, count in ends.most_common(worst):
        print(f"  {count:6} {end}")


if __name__ == "__main__":
    main()
