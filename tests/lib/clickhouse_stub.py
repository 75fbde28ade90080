#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""An HTTP front for chdb, which is a current engine of ClickHouse without one: SQL, formats, tokens and errors are real.

usage: clickhouse_stub.py PORT_FILE DIR		(with a Python that has the module chdb)
One request at a time. POST with the statement as the body, or with "query" in the URL and rows as the body, which may
be gzip. Other parameters than database, query, query_id, wait_end_of_query and readonly are settings.
"""
import gzip
import http.server
import os
import re
import sys
import threading
import urllib.parse

from chdb import session

lock = threading.Lock()
NOT_SETTINGS = ("database", "query", "query_id", "wait_end_of_query", "readonly")


class Engine:
    def __init__(self, path):
        self.session, self.path = session.Session(os.path.join(path, "data")), path

    def select(self, sql):
        found = re.search(r"\sFORMAT\s+(\w+)\s*;?\s*$", sql)
        form = found.group(1) if found else "TabSeparated"
        return self.session.query(sql[:found.start()] if found else sql, form).bytes()

    def insert(self, sql, body, settings):
        found = re.match(r"(?s)(INSERT INTO .*?)\s+FORMAT\s+(\w+)\s*$", sql)
        path = os.path.join(self.path, "body")
        with open(path, "wb") as file:
            file.write(body)
        words = ", ".join(f"{key} = '{value}'" for key, value in settings)
        self.session.query(f"{found.group(1)} FROM INFILE '{path}' COMPRESSION 'none' "
                           + (f"SETTINGS {words} " if words else "") + f"FORMAT {found.group(2)}")
        return b""

    def run(self, parameters, body):
        if parameters.get("database"):
            self.session.query(f"USE `{parameters['database']}`")
        else:
            self.session.query("USE default")
        settings = [(k, v) for k, v in parameters.items() if k not in NOT_SETTINGS]
        if parameters.get("query"):
            return self.insert(parameters["query"], body, settings)
        return self.select(body.decode())


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def respond(self, status, body, code=None):
        self.send_response_only(status)
        if code:
            self.send_header("X-ClickHouse-Exception-Code", code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.respond(200, b"Ok.\n")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        query = urllib.parse.urlsplit(self.path).query
        parameters = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        try:
            with lock:
                answer = ENGINE.run(parameters, body)
        except Exception as error:  # whatever the engine says
            found = re.search(r"Code: (\d+)", str(error))
            self.respond(500, str(error).encode(), found.group(1) if found else "1")
            return
        self.respond(200, answer)


ENGINE = Engine(sys.argv[2])


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
        file.write(f"{server.server_address[1]}\n")
    os.replace(sys.argv[1] + ".new", sys.argv[1])
    server.serve_forever()


main()
