#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A TCP proxy that breaks connections: for any server, whatever it speaks.

usage: fault_proxy.py PORT_FILE TARGET_HOST:PORT [CONTROL_FILE]
The port goes into PORT_FILE. CONTROL_FILE holds a JSON object that is read for each connection; none: passes on.
  {"cut_up": N}        a reset after N bytes of what the client sent; with "step": S the k-th such connection
                       (from 0) is cut after N + k * S bytes, until "most": M is passed
  {"cut_down": N}      the same of what the server sent; "step" and "most" likewise
  {"close": true}      with a cut: an orderly end in place of a reset
  {"stall_up": N}      passes N bytes on, then nothing, and keeps the connection; "stall_down" likewise
  {"rate": N}          bytes a second, each way
  {"delay_s": S}       before anything is passed on
  {"refuse": true}     a reset at once
A line of JSON for each connection goes to stdout: {"n", "up", "down", "end"}.
"""
import json
import os
import socket
import struct
import sys
import threading
import time


class Cut(Exception):
    pass


class Settings:
    def __init__(self, path):
        self.path, self.lock, self.cuts, self.seen = path, threading.Lock(), 0, None

    def next(self):
        """What is to happen with this connection."""
        try:
            with open(self.path or "/dev/null", encoding="utf-8") as file:
                text = file.read()
        except FileNotFoundError:
            text = ""
        rule = json.loads(text or "{}")
        with self.lock:
            if text != self.seen:  # set anew: it counts from 0 again
                self.seen, self.cuts = text, 0
            for way in ("cut_up", "cut_down"):
                if way in rule:
                    rule[way] += self.cuts * rule.get("step", 0)
                    if rule[way] > rule.get("most", 1 << 62):
                        del rule[way]
            self.cuts += 1
        return rule


class Connection:
    def __init__(self, client, server, rule, number):
        self.client, self.server, self.rule, self.number = client, server, rule, number
        self.passed, self.end, self.lock = {"up": 0, "down": 0}, "closed", threading.Lock()
        self.left = 2

    def pump(self, way, source, sink):
        rule = self.rule
        try:
            while True:
                most = min(self.room(way), max(1, rule.get("rate", 655360) // 10))
                data = source.recv(most)
                if not data:
                    if self.end == "closed":
                        sink.shutdown(socket.SHUT_WR)
                    break
                sink.sendall(data)
                self.passed[way] += len(data)
                if "rate" in rule:
                    time.sleep(len(data) / rule["rate"])
        except Cut:
            self.end = f"cut {way}"
            self.finish(is_reset=not rule.get("close"))
        except OSError:
            self.end = "broken" if self.end == "closed" else self.end
        self.done()

    def room(self, way):
        """How many bytes may pass now."""
        if f"cut_{way}" in self.rule:
            left = self.rule[f"cut_{way}"] - self.passed[way]
            if left <= 0:
                raise Cut()
            return min(left, 65536)
        if f"stall_{way}" in self.rule:
            left = self.rule[f"stall_{way}"] - self.passed[way]
            while left <= 0 and self.end == "closed" and self.left == 2:
                time.sleep(0.1)
            return min(max(left, 1), 65536)
        return 65536

    def finish(self, is_reset):
        for sock in (self.client, self.server):
            try:
                if is_reset:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                sock.shutdown(socket.SHUT_RD if is_reset else socket.SHUT_RDWR)
            except OSError:
                pass

    def done(self):
        with self.lock:
            self.left -= 1
            if self.left:
                return
        self.client.close()
        self.server.close()
        print(json.dumps({"n": self.number, **self.passed, "end": self.end}), flush=True)

    def run(self):
        threading.Thread(target=self.pump, args=("up", self.client, self.server), daemon=True).start()
        self.pump("down", self.server, self.client)


def serve(client, target, rule, number):
    if rule.get("refuse"):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        print(json.dumps({"n": number, "up": 0, "down": 0, "end": "refused"}), flush=True)
        return
    time.sleep(rule.get("delay_s", 0))
    try:
        server = socket.create_connection(target, timeout=10)
    except OSError:
        client.close()
        return
    server.settimeout(None)
    for sock in (client, server):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    Connection(client, server, rule, number).run()


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    host, _, port = sys.argv[2].rpartition(":")
    settings = Settings(sys.argv[3] if len(sys.argv) > 3 else None)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(256)
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
        file.write(f"{listener.getsockname()[1]}\n")
    os.replace(sys.argv[1] + ".new", sys.argv[1])
    number = 0
    while True:
        client, _ = listener.accept()
        rule = settings.next()
        threading.Thread(target=serve, args=(client, (host, int(port)), rule, number), daemon=True).start()
        number += 1


main()
