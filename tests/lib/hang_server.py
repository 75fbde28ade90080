#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A server that takes requests of HTTP/1 and HTTP/2 and leaves whoever asks hanging.

usage: hang_server.py HOW PORT_FILE
HOW: silent (it never answers), head (the head of an answer and then nothing), trickle (two
bytes a second: enough for who wants one).
For each connection that its client has ended, a line with the seconds it was open goes to stdout.
"""
import os
import socket
import sys
import threading
import time

HTTP1 = b"HTTP/1.1 200 OK\r\nContent-Type: application/proto\r\nContent-Length: 100000\r\n\r\n"
# RFC 9113: SETTINGS and their acknowledgement; HEADERS of the first stream, ":status: 200"; DATA of 10,000 bytes.
HTTP2 = (b"\0\0\0\x04\0\0\0\0\0" + b"\0\0\0\x04\x01\0\0\0\0" + b"\0\0\x01\x01\x04\0\0\0\x01\x88")
HTTP2_DATA = b"\0\x27\x10\0\0\0\0\0\x01"


def answer(client, how, is_http2):
    head, body = (HTTP2, HTTP2_DATA) if is_http2 else (HTTP1, b"")
    if how == "head":
        client.sendall(head)
    elif how == "trickle":
        for byte in head + body + b"x" * 10000:
            client.sendall(bytes([byte]))
            time.sleep(0.5)


def serve(client, how):
    begin, is_first = time.monotonic(), True
    try:
        while data := client.recv(65536):
            if is_first:
                threading.Thread(target=try_answer, args=(client, how, data.startswith(b"PRI ")), daemon=True).start()
                is_first = False
    except OSError:
        pass
    print(f"{time.monotonic() - begin:.1f}", flush=True)
    client.close()


def try_answer(client, how, is_http2):
    try:
        answer(client, how, is_http2)
    except OSError:  # the client has had enough
        pass


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("silent", "head", "trickle"):
        sys.exit(__doc__)
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    with open(sys.argv[2] + ".new", "w", encoding="ascii") as file:
        file.write(f"{listener.getsockname()[1]}\n")
    os.replace(sys.argv[2] + ".new", sys.argv[2])
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0], sys.argv[1]), daemon=True).start()


if __name__ == "__main__":
    main()
