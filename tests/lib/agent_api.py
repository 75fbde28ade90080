#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Answers as an agent's HTTP API does, or as the file `mode` in the current directory says.

usage: agent_api.py PORT_FILE|SOCKET   the port goes into PORT_FILE; SOCKET is a path that ends in .sock

profile.pb.gz, list.json, list.unit.json and list.process.json are the answers. Each request is a line in the file `requests`.
Modes: a status such as 429; garbage; stranger; endless; slow (nothing comes); cut (less than promised); redirect;
       token (wants "Authorization: Bearer secret").
"""
import http.server
import os
import socketserver
import sys
import time


class Handler(http.server.BaseHTTPRequestHandler):
    def address_string(self):
        return "client"

    def log_message(self, *args):
        pass

    def answer(self, status, body, promised=None, headers=()):
        self.send_response(status)
        self.send_header("Content-Length", str(promised or len(body)))
        for key, value in headers:
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)

    def endless(self):
        self.send_response(200)
        self.end_headers()
        while True:
            self.wfile.write(b"x" * (1 << 20))

    def do_GET(self):
        token = self.headers.get("Authorization", "-")
        with open("requests", "a") as f:
            f.write(f"{self.path} {token}\n")
        mode = open("mode").read().strip() if os.path.exists("mode") else ""
        path = self.path.partition("?")[0]
        name = {"/api/v1/profile": "profile.pb.gz", "/api/v1/list": "list.json"}.get(path)
        for by in ("unit", "process"):
            if name == "list.json" and f"by={by}" in self.path:
                name = f"list.{by}.json"
        if mode.isdigit():
            self.answer(int(mode), f'{{"error":"this is {mode}"}}\n'.encode())
        elif mode == "stranger":
            self.answer(404, b"<html>Not Found</html>")
        elif mode == "garbage":
            self.answer(200, b"<html>Welcome to nginx</html>")
        elif mode == "endless":
            self.endless()
        elif mode == "slow":
            time.sleep(20)
        elif mode == "cut":
            self.answer(200, b"x" * 100, promised=1000)
        elif mode == "redirect":
            self.answer(302, b"", headers=[("Location", "/api/v1/profile?other")])
        elif mode == "token" and token != "Bearer secret":
            self.answer(401, b"no\n")
        elif name:
            self.answer(200, open(name, "rb").read())
        else:
            self.answer(404, b"nothing here\n")


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def main():
    if sys.argv[1].endswith(".sock"):
        server = UnixServer(sys.argv[1], Handler)
    else:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        with open(sys.argv[1] + ".new", "w") as f:
            f.write(str(server.server_address[1]))
        os.rename(sys.argv[1] + ".new", sys.argv[1])
    server.serve_forever()


main()
