#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A protocol server: it answers as real profile stores were seen to answer, and remembers what it was sent.

usage: /usr/bin/python3 tests/lib/profile_store serve DIR [OPTION...] [NAME=]KIND[:PORT]...
       /usr/bin/python3 tests/lib/profile_store totals [--type cpu] FILE...   totals of pprof files, as
                                                                              /test/totals has them
       /usr/bin/python3 tests/lib/profile_store retime [--ago SECONDS] IN OUT  a pprof file at another time
KIND is pyroscope, parca, otlp (a Collector), otlp-pyroscope, pprof or s3. Each has a port of its own on
127.0.0.1; what tests ask is on another one, "control" (control.py). DIR/ports names them, a line each:
"NAME PORT". A server that is started again in DIR has the same ports.
  --journal         DIR/journal keeps what was accepted: killed and started again, the server has it
  --tls CERT KEY    TLS; --client-ca FILE: client certificates are wanted
  --set JSON        settings, as PUT /test/set: {"pyroscope": {"multitenancy": true}}
Settings: pyroscope: multitenancy, tenants, limits {rate, burst, ...}. parca: bearer, read_timeout_s. otlp:
style, path, zero_elements, max_body. pprof: bearer, basic "USER:PASSWORD". s3: key, secret, region, bucket,
session_token.
"""
import argparse
import gzip
import json
import os
import signal
import sys
import time

import pprof
import store
from control import Control
from faults import Faults
from otlp import Receiver
from parca import Parca
from plain import Plain
from pyroscope import Pyroscope
from s3 import S3
from server import Port, tls_context

KINDS = {"pyroscope": Pyroscope, "parca": Parca, "otlp": Receiver, "otlp-pyroscope": Receiver, "pprof": Plain,
         "s3": S3}


def known_ports(path):
    try:
        with open(path, encoding="ascii") as file:
            return {name: int(number) for name, number in (line.split() for line in file)}
    except FileNotFoundError:
        return {}


def serve(options):
    os.makedirs(options.dir, exist_ok=True)
    path = os.path.join(options.dir, "ports")
    old, faults, ports = known_ports(path), Faults(), {}
    records = store.Store(os.path.join(options.dir, "journal") if options.journal else None)
    tls = tls_context(*options.tls, client_ca=options.client_ca, least=options.least_tls) if options.tls else None
    given, settings = json.loads(options.set), {}
    for text in options.destinations:
        text, _, number = text.partition(":")
        name, _, kind = text.rpartition("=")
        name = name or kind
        if kind not in KINDS:
            sys.exit(f"no kind {kind!r}: {', '.join(KINDS)}")
        settings[name] = {"style": "pyroscope"} if kind == "otlp-pyroscope" else {}
        settings[name].update(given.get(name, {}))
        handler = KINDS[kind](name, records, settings[name])
        ports[name] = Port(name, handler.handle, faults, records.note, int(number or old.get(name, 0)), tls)
    control = Port("control", Control(records, faults, ports, settings).handle, Faults(), lambda *a: None,
                   old.get("control", 0))
    with open(path + ".new", "w", encoding="ascii") as file:
        file.writelines(f"{port.name} {port.number}\n" for port in [*ports.values(), control])
    os.replace(path + ".new", path)
    signal.sigwait([signal.SIGTERM, signal.SIGINT])


def totals(options):
    merged = pprof.Merged()
    for file in options.files:
        with open(file, "rb") as opened:
            raw = pprof.inflate(opened.read())
        profile = pprof.Profile(raw)
        record = store.PprofRecord("", {}, raw, profile, 0)
        for stack, value in store.merge([record], options.type)[0].stacks.items():
            merged.add(stack, value)
    for name, (own, total) in sorted(merged.totals().items(), key=lambda r: (-r[1][1], -r[1][0], r[0])):
        print(own, total, name.replace("\t", " ").replace("\n", " "), sep="\t")


def retime(options):
    with open(options.source, "rb") as file:
        raw = pprof.retimed(pprof.inflate(file.read()), time.time_ns() - int(options.ago * 1e9))
    with open(options.out, "wb") as file:
        file.write(gzip.compress(raw, 6))


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("serve")
    one.add_argument("dir")
    one.add_argument("--journal", action="store_true")
    one.add_argument("--tls", nargs=2)
    one.add_argument("--client-ca")
    one.add_argument("--least-tls")
    one.add_argument("--set", default="{}")
    one.add_argument("destinations", nargs="+")
    one.set_defaults(run=serve)
    one = commands.add_parser("totals")
    one.add_argument("--type", default="cpu")
    one.add_argument("files", nargs="+")
    one.set_defaults(run=totals)
    one = commands.add_parser("retime")
    one.add_argument("--ago", type=float, default=30)
    one.add_argument("source")
    one.add_argument("out")
    one.set_defaults(run=retime)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
