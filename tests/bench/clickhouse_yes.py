#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A ClickHouse that has kiln's tables and takes everything, to measure who sends. Stores nothing.

usage: clickhouse_yes.py PORT_FILE SCHEMA
"""
import http.server
import os
import sys


def string(text):
    return bytes([len(text)]) + text.encode()


def number(value):
    return value.to_bytes(4, "little")


def hello():
    """One row of kiln_schema, in the format Native."""
    columns = (("server", "String", string("24.8.1.1")), ("schema", "UInt32", number(SCHEMA)),
               ("suffix", "String", string("")), ("cluster", "String", string("")), ("made", "UInt32", number(1)))
    return bytes([len(columns), 1]) + b"".join(string(n) + string(t) + value for n, t, value in columns)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answer = hello() if b"kiln_schema" in body else b""
        self.send_response_only(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


SCHEMA = int(sys.argv[2])
SERVER = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
    file.write(f"{SERVER.server_address[1]}\n")
os.replace(sys.argv[1] + ".new", sys.argv[1])
SERVER.serve_forever()
