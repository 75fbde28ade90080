#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Plays a fleet of hosts that send real windows to a profile store, more and more, until it saturates.

usage: fleet_load.py [OPTION...] KIND://HOST:PORT[/PATH] FILE.pb.gz...
KIND is pyroscope, parca (gRPC), otlp, otlp+grpc, pprof or s3 (/BUCKET; STORE_KEY, STORE_SECRET); or clickhouse:
clickhouse://HOST:PORT[,HOST:PORT...]/DATABASE, each a shard of its own with the tables of kiln fleet init. There a
host's first window brings its stacks, as an agent's does, and --interval should be 60.
  --hosts N[,N...]   steps; with --grow the last one is doubled until the server saturates (100)
  --interval S       each host sends a window so often, +-20 % (10)
  --seconds S        of a step (10)
  --workers N        processes (2);  --connections N: of each (16)
  --pid PID          of the server: its CPU and memory are shown
  --kiln PATH        cuts the FILEs into series for pyroscope and parca, as it sends them (build/release/kiln)
Each host has labels, a phase, and a clock of its own (half a second off, as a rule), and sends one of the FILEs.
A step is saturated if less than 95 % of what was due was answered well, p99 is over a second, or a window
waited for a second before it could be sent at all: then "generator" says whether this program was the reason.
"""
import argparse
import base64
import gzip
import hashlib
import heapq
import json
import multiprocessing
import os
import random
import resource
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib/profile_store"))
sys.path.insert(0, os.path.join(HERE, "../lib"))

import clickhouse_window  # noqa: E402
import otlp  # noqa: E402
import otlp_encode  # noqa: E402
import parca  # noqa: E402
import pprof  # noqa: E402
import pyroscope  # noqa: E402
import s3  # noqa: E402
from wire import put_bytes, put_number  # noqa: E402

TIMEOUT_S = 30
LATE_S = 1
PUSH_SERIES = 16  # in a request to Pyroscope, as profiler/upload/pyroscope.c has it
COLUMNS = "hosts due/s good/s MB/s p50_ms p99_ms refused failed late_ms gen_% server_% server_MB".split()


def untimed(raw):
    """The beginning of a profile: two members of gzip save compressing it each time."""
    return gzip.compress(pprof.retimed(raw, 0)[:-2], 6)  # without "time_nanos: 0"


def timed(start, time_ns):
    return start + gzip.compress(put_number(9, time_ns), 1)


def pushed(kiln, kind, raw):
    """[(labels, profile)]: the series of a profile as kiln sends them to the protocol server, which keeps them."""
    server = os.path.join(HERE, "../lib/profile_store")
    limits = json.dumps({"pyroscope": {"limits": {"rate": 10**9}}})
    with tempfile.TemporaryDirectory() as folder:
        file, ports = os.path.join(folder, "p.pb"), os.path.join(folder, "ports")
        with open(file, "wb") as out:
            out.write(pprof.retimed(raw, time.time_ns() - 30 * 10**9))
        with subprocess.Popen([sys.executable, server, "serve", folder, "--journal", kind, "--set", limits]) as process:
            try:
                while not os.path.exists(ports) and process.poll() is None:
                    time.sleep(0.1)
                with open(ports, encoding="ascii") as lines:
                    port = dict(line.split() for line in lines)[kind]
                subprocess.run([kiln, "push", "-q", file, "--to", f"{kind}+http://127.0.0.1:{port}"],
                               check=True, stdout=subprocess.DEVNULL)
            finally:
                process.terminate()
        with open(os.path.join(folder, "journal"), encoding="ascii") as lines:
            entries = [json.loads(line) for line in lines]
    return [(entry["labels"], base64.b64decode(entry["raw"])) for entry in entries]


class Window:
    """What a host sends, but for its time and labels."""

    def __init__(self, path, kind, kiln):
        with open(path, "rb") as file:
            raw = pprof.inflate(file.read())
        self.service = os.path.basename(path).split(".")[0]
        if kind == "clickhouse":
            self.shape = clickhouse_window.Shape(pprof.Profile(raw), self.service)
            return
        if kind in ("pyroscope", "parca"):
            self.series = [(labels, untimed(one)) for labels, one in pushed(kiln, kind, raw)]
            return
        self.start = untimed(raw)
        self.otlp = otlp_encode.encode(pprof.Profile(raw), 0)

    def raw_series(self, host, time_ns, set_of_labels):
        """[message]: a series each, in the common shape of both servers."""
        for labels, start in self.series:
            pairs = sorted(dict(labels, host=f"host-{host:05d}").items())
            labels = b"".join(put_bytes(1, put_bytes(1, n) + put_bytes(2, v)) for n, v in pairs)
            yield set_of_labels(labels) + put_bytes(2, put_bytes(1, timed(start, time_ns)))


def is_stale(sock):
    """Servers close what has been idle for some seconds; nothing else may be there to read now."""
    return bool(select.select([sock], [], [], 0)[0])


class Http1:
    def __init__(self, host, port):
        self.address, self.sock = (host, port), None

    def close(self):
        if self.sock:
            self.sock.close()
        self.sock = None

    def ask(self, method, path, headers, body):
        """The status, and the number of bytes sent."""
        if self.sock and is_stale(self.sock):
            self.close()
        if not self.sock:
            self.sock = socket.create_connection(self.address, timeout=TIMEOUT_S)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = f"{method} {path} HTTP/1.1\r\nhost: {self.address[0]}:{self.address[1]}\r\n"
        head += "".join(f"{k}: {v}\r\n" for k, v in headers) + f"content-length: {len(body)}\r\n\r\n"
        self.sock.sendall(head.encode() + body)
        got = b""
        while b"\r\n\r\n" not in got:
            got += self.more()
        head_got, _, rest = got.partition(b"\r\n\r\n")
        fields = dict(line.partition(":")[::2] for line in head_got.decode("latin-1").lower().split("\r\n")[1:])
        if fields.get("transfer-encoding", "").strip() == "chunked":
            while not rest.endswith(b"0\r\n\r\n"):
                rest += self.more()
        left = int(fields.get("content-length", "0")) - len(rest)
        while left > 0:
            left -= len(self.more())
        if fields.get("connection", "").strip() == "close":
            self.close()
        return int(head_got[9:12]), len(head) + len(body)

    def more(self):
        got = self.sock.recv(65536)
        if not got:
            raise OSError("closed")
        return got


class Grpc:
    def __init__(self, host, port):
        self.address, self.sock, self.state = (host, port), None, None

    def close(self):
        if self.sock:
            self.sock.close()
        self.sock = None

    def connect(self):
        import h2.connection
        self.sock = socket.create_connection(self.address, timeout=TIMEOUT_S)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.state = h2.connection.H2Connection()
        self.state.initiate_connection()

    def ask(self, method, path, headers, body):
        if self.sock and is_stale(self.sock):
            self.close()
        if not self.sock:
            self.connect()
        state, at, status = self.state, 0, [None]
        stream, sent = state.get_next_available_stream_id(), len(body)
        state.send_headers(stream, [(":method", "POST"), (":scheme", "http"), (":path", path),
                                    (":authority", f"{self.address[0]}:{self.address[1]}"), ("te", "trailers"),
                                    ("content-type", "application/grpc+proto")])
        while True:
            while at < len(body):
                size = min(state.local_flow_control_window(stream), state.max_outbound_frame_size, len(body) - at)
                if size <= 0:
                    break
                at += size
                state.send_data(stream, body[at - size:at], end_stream=at == len(body))
            self.sock.sendall(state.data_to_send())
            got = self.sock.recv(65536)
            if not got:
                raise OSError("closed")
            if self.take(state.receive_data(got), status):
                data = state.data_to_send()
                if data:
                    self.sock.sendall(data)
                return (200 if status[0] == "0" else 500), sent

    def take(self, events, status):
        import h2.events
        ended = False
        for event in events:
            if isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
                status[0] = dict(event.headers).get("grpc-status", dict(event.headers).get(b"grpc-status", status[0]))
                if isinstance(status[0], bytes):
                    status[0] = status[0].decode()
            elif isinstance(event, h2.events.DataReceived):
                self.state.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
                ended = True
            elif isinstance(event, h2.events.ConnectionTerminated):
                raise OSError("goaway")
        return ended


class Shards:
    """A connection to each shard; a path begins with the number of one."""

    def __init__(self, servers):
        self.connections = [Http1(host, port) for host, port in servers]

    def close(self):
        for connection in self.connections:
            connection.close()

    def ask(self, method, path, headers, body):
        shard, _, path = path.partition(":")
        return self.connections[int(shard)].ask(method, path, headers, body)


class Target:
    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.kind, self.path = parts.scheme, parts.path
        self.servers = [(s.rpartition(":")[0], int(s.rpartition(":")[2])) for s in parts.netloc.split(",") if ":" in s]
        if self.kind not in ("pyroscope", "parca", "otlp", "otlp+grpc", "pprof", "s3", "clickhouse") or not self.servers:
            sys.exit(__doc__)
        self.host, self.port = self.servers[0]
        self.has_stacks = set()  # hosts and weeks

    def connection(self):
        if self.kind == "clickhouse":
            return Shards(self.servers)
        return (Grpc if self.kind in ("parca", "otlp+grpc") else Http1)(self.host, self.port)

    def requests(self, window, host, time_ns, interval):
        """(method, path, headers, body) in order: each only after the one before went well."""
        if self.kind == "pyroscope":
            series = list(window.raw_series(host, time_ns, lambda labels: labels))
            for at in range(0, len(series), PUSH_SERIES):
                body = b"".join(put_bytes(1, one) for one in series[at:at + PUSH_SERIES])
                yield "POST", pyroscope.PUSH, [("content-type", "application/proto")], body
            return
        if self.kind != "clickhouse":
            yield self.request(window, host, time_ns)
            return
        # Stacks are sent in each week that has samples of them.
        shard, week = host % len(self.servers), (host, (time_ns // (86400 * 10**9) - 4) // 7)
        is_new = week not in self.has_stacks
        for table, body in window.shape.inserts(f"host-{host:05d}", time_ns / 1e9, interval, is_new):
            path = clickhouse_window.path_of(self.path.strip("/"), table)
            yield "POST", f"{shard}:{path}", [("content-encoding", "gzip")], gzip.compress(body, 6)
        self.has_stacks.add(week)

    def request(self, window, host, time_ns):
        """(method, path, headers, body)"""
        if self.kind == "parca":
            series = window.raw_series(host, time_ns, lambda labels: put_bytes(1, labels))
            body = b"".join(put_bytes(2, one) for one in series) + put_number(3, 1)
            return "POST", parca.WRITE_RAW, [], otlp_encode.frame(body)
        if self.kind.startswith("otlp"):
            labels = {"service.name": window.service, "host.name": f"host-{host:05d}"}
            body = otlp_encode.request(window.otlp, labels, time_ns, os.urandom(16))
            if self.kind == "otlp+grpc":
                return "POST", otlp.GRPC_PATH, [], otlp_encode.frame(body)
            return "POST", self.path or otlp.HTTP_PATH, [("content-type", "application/x-protobuf")], body
        body = timed(window.start, time_ns)
        path = f"{self.path}/host-{host:05d}/{time_ns}.pb.gz"
        if self.kind == "pprof":
            return "PUT", path, [("content-type", "application/gzip")], body
        return "PUT", path, self.signed("PUT", path, body), body

    def signed(self, method, path, body):
        at, key = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()), os.environ.get("STORE_KEY", "AK")
        scope, digest = f"{at[:8]}/us-east-1/s3/aws4_request", hashlib.sha256(body).hexdigest()
        headers = {"host": f"{self.host}:{self.port}", "x-amz-content-sha256": digest, "x-amz-date": at}
        names = sorted(headers)
        canonical = s3.canonical_request(method, path, "", headers, names, digest)
        signature = s3.signature(os.environ.get("STORE_SECRET", "SK"), at, scope, canonical)
        return [("x-amz-content-sha256", digest), ("x-amz-date", at),
                ("authorization", f"AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders={';'.join(names)}, "
                                  f"Signature={signature}")]


class Worker:
    """Some of the hosts, in a process of its own."""

    def __init__(self, options, target, windows, hosts, begin):
        self.options, self.target, self.windows = options, target, windows
        self.begin, self.end = begin, begin + options.seconds
        self.random, self.lock = random.Random(hosts[0] if hosts else 0), threading.Lock()
        self.due, self.results = [], []  # (ms of the slowest answer, late in ms, bytes, status)
        self.clocks = {}
        for host in hosts:
            self.clocks[host] = int(self.random.gauss(0, 0.5) * 1e9)
            heapq.heappush(self.due, (begin + self.random.random() * options.interval, host))
        self.n_due = 0

    def next(self):
        with self.lock:
            if not self.due or self.due[0][0] >= self.end:
                return None
            at, host = heapq.heappop(self.due)
            self.n_due += 1
            heapq.heappush(self.due, (at + self.options.interval * self.random.uniform(0.8, 1.2), host))
            return at, host

    def run_connection(self):
        connection = self.target.connection()
        while (one := self.next()) is not None:
            at, host = one
            wait = at - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            elif -wait > 5:
                continue  # hopeless: due and not answered
            window = self.windows[host % len(self.windows)]
            requests = self.target.requests(window, host, time.time_ns() + self.clocks[host], self.options.interval)
            began = asked = time.monotonic()
            try:
                status, size, slowest = 200, 0, 0
                for request in requests:
                    status, sent = connection.ask(*request)
                    size += sent
                    slowest, asked = max(slowest, time.monotonic() - asked), time.monotonic()
                    if not 200 <= status < 300:
                        break
            except (OSError, ValueError):
                connection.close()
                status, size, slowest = 0, 0, 0
            except Exception:  # of h2: the connection cannot be used any more
                connection.close()
                status, size, slowest = 0, 0, 0
            self.results.append((slowest * 1e3, max(0, began - at) * 1e3, size, status))
        connection.close()

    def run(self, queue):
        threads = [threading.Thread(target=self.run_connection) for _ in range(self.options.connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        usage = resource.getrusage(resource.RUSAGE_SELF)
        queue.put((self.n_due, self.results, usage.ru_utime + usage.ru_stime))


def share(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))] if values else 0


def usage_of(pid):
    """(CPU seconds, MB)"""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), int(fields[21]) * 4096 / 1e6
    except (OSError, IndexError):
        return 0, 0


def step(options, target, windows, hosts):
    queue, begin, before = multiprocessing.Queue(), time.monotonic() + 0.3, usage_of(options.pid)
    workers = [multiprocessing.Process(target=Worker(
        options, target, windows, list(range(i, hosts, options.workers)), begin).run, args=(queue,))
        for i in range(options.workers)]
    for worker in workers:
        worker.start()
    parts = [queue.get() for _ in workers]
    for worker in workers:
        worker.join()
    took = max(time.monotonic() - begin, options.seconds)
    after = usage_of(options.pid)
    results = [one for part in parts for one in part[1]]
    due, good = sum(part[0] for part in parts), [r for r in results if 200 <= r[3] < 300]
    times, late = [r[0] for r in good], share([r[1] for r in results], 0.99)
    refused = sum(1 for r in results if r[3] and not 200 <= r[3] < 300)
    failed = sum(1 for r in results if not r[3])
    cpu = sum(part[2] for part in parts) / took * 100
    print("\t".join(str(x) for x in (
        hosts, f"{due / options.seconds:.1f}", f"{len(good) / took:.1f}", f"{sum(r[2] for r in good) / took / 1e6:.2f}",
        f"{share(times, 0.5):.1f}", f"{share(times, 0.99):.1f}", refused, failed, f"{late:.0f}", f"{cpu:.0f}",
        f"{(after[0] - before[0]) / took * 100:.0f}", f"{after[1]:.0f}")), flush=True)
    return due and (len(good) < 0.95 * due or share(times, 0.99) > 1000 or late > LATE_S * 1000)


def main():
    parser = argparse.ArgumentParser(usage=__doc__.replace("%", "%%"))
    parser.add_argument("--hosts", default="100")
    parser.add_argument("--grow", action="store_true")
    for name, default in (("interval", 10.0), ("seconds", 10.0)):
        parser.add_argument(f"--{name}", type=float, default=default)
    for name, default in (("workers", 2), ("connections", 16), ("pid", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--kiln", default=os.path.join(HERE, "../../build/release/kiln"))
    parser.add_argument("url")
    parser.add_argument("files", nargs="+")
    options = parser.parse_args()
    target = Target(options.url)
    windows = [Window(file, target.kind, options.kiln) for file in options.files]
    print("\t".join(COLUMNS))
    steps, last = [int(n) for n in options.hosts.split(",")], 0
    while steps:
        hosts = steps.pop(0)
        if step(options, target, windows, hosts):
            print(f"saturates between {last} and {hosts} hosts")
            return
        last = hosts
        if not steps and options.grow and hosts < 1 << 20:
            steps.append(hosts * 2)
    print(f"does not saturate with {last} hosts")


if __name__ == "__main__":
    main()
