# SPDX-License-Identifier: GPL-2.0-or-later
"""Asks as profilecli does, byte for byte. Usage: profilecli_ask.py PORT METHOD SELECTOR FILE"""
import socket
import sys
import time

PORT = int(sys.argv[1])


def answer(sock):
    """All bytes until the other side closes, or for two seconds."""
    sock.settimeout(2)
    got = b""
    try:
        while chunk := sock.recv(65536):
            got += chunk
    except (TimeoutError, ConnectionResetError):
        pass
    return got


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def profilecli(method, selector, out):
    """What profilecli sends, byte for byte, for the last ten minutes; the answer's profile to a file."""
    kind = b"process_cpu:cpu:nanoseconds:cpu:nanoseconds"
    now = int(time.time() * 1000)
    body = b"\x0a" + varint(len(kind)) + kind + b"\x12" + varint(len(selector)) + selector.encode()
    body += b"\x18" + varint(now - 600000) + b"\x20" + varint(now)
    if method == "SelectMergeStacktraces":
        body += b"\x30\x04"
    with socket.create_connection(("127.0.0.1", PORT), timeout=40) as sock:
        sock.sendall(
            b"POST /querier.v1.QuerierService/" + method.encode() + b" HTTP/1.1\r\n"
            b"Host: 127.0.0.1:%d\r\nUser-Agent: connect-go/1.19.2 (go1.26)\r\nContent-Length: %d\r\n"
            b"Accept: */*;allow-utf8-labelnames=true\r\nAccept-Encoding: gzip\r\n"
            b"Connect-Protocol-Version: 1\r\nContent-Type: application/proto\r\n\r\n" % (PORT, len(body)) + body)
        head, _, got = answer(sock).partition(b"\r\n\r\n")
    if b" 200 " not in head or b"application/proto" not in head:
        sys.exit(f"{head!r} {got[:300]!r}")
    if method == "SelectMergeStacktraces":  # field 5, in it field 1
        for field in (b"\x2a", b"\x0a"):
            if got[:1] != field:
                sys.exit(f"field {got[:1]!r}, wanted {field!r}")
            at = 1
            while got[at] & 128:
                at += 1
            got = got[at + 1:]
    with open(out, "wb") as f:
        f.write(got)


profilecli(*sys.argv[2:])
