#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""An HTTP proxy that answers in a server's place: before the server has seen a request, or after it.

usage: answer_proxy.py PORT_FILE TARGET_HOST:PORT CONTROL_FILE
The port goes into PORT_FILE. CONTROL_FILE holds a JSON list of rules, and is read for each request; none: passes on.
  {"path": TEXT}       of requests whose path and query have this text; without it: of all
  {"skip": N}          of these not the first N, and then "count": N of them (all)
  {"forward": true}    the server gets the request, and its answer is thrown away
  {"status": N, "body": TEXT, "headers": {NAME: VALUE}}   what is answered; without a status: the connection ends
A line of JSON for each request goes to stdout: {"path", "bytes", "status", "rule"}.
"""
import http.client
import http.server
import json
import os
import sys
import threading

lock = threading.Lock()
seen = {"text": None, "hits": {}}


def rule_for(path):
    """The first rule that is meant, and its number."""
    try:
        with open(sys.argv[3], encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        text = ""
    with lock:
        if text != seen["text"]:  # set anew: it counts from 0 again
            seen.update(text=text, hits={})
        for number, rule in enumerate(json.loads(text or "[]")):
            if rule.get("path", "") not in path:
                continue
            hit = seen["hits"].get(number, 0)
            seen["hits"][number] = hit + 1
            first = rule.get("skip", 0)
            if first <= hit < first + rule.get("count", 1 << 62):
                return rule, number
    return None, None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def note(self, body, status, number):
        print(json.dumps({"path": self.path, "bytes": len(body), "status": status, "rule": number}), flush=True)

    def forward(self, body):
        connection = http.client.HTTPConnection(sys.argv[2], timeout=60)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection")}
        connection.request(self.command, self.path, body, headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        return answer.status, data, [(k, v) for k, v in answer.getheaders()
                                     if k.lower() not in ("transfer-encoding", "content-length", "connection")]

    def respond(self, status, data, headers):
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        rule, number = rule_for(self.path)
        if rule is None or rule.get("forward"):
            answer = self.forward(body)
        if rule is None:
            self.respond(*answer)
            self.note(body, answer[0], None)
            return
        self.note(body, rule.get("status", 0), number)
        if "status" in rule:
            self.respond(rule["status"], rule.get("body", "").encode(), list(rule.get("headers", {}).items()))
        else:
            self.close_connection = True
            self.connection.close()

    do_GET = do_POST


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    with open(sys.argv[1] + ".new", "w", encoding="ascii") as file:
        file.write(f"{server.server_address[1]}\n")
    os.replace(sys.argv[1] + ".new", sys.argv[1])
    server.serve_forever()


main()
