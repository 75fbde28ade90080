# SPDX-License-Identifier: GPL-2.0-or-later
"""gRPC's frames and statuses over the HTTP/2 of server.py."""
import gzip
import urllib.parse
import zlib

from exchange import Response
from rules import CODES, Refused


def failure(code, message):
    """A status in the headers alone, as servers send that have no message."""
    return Response(200, content_type="application/grpc", headers=[
        ("grpc-status", str(code)), ("grpc-message", urllib.parse.quote(message, safe=" '(),:/[]{}=\""))])


def frames(request, most):
    """[message]; Refused."""
    out, at, body = [], 0, request.body
    while at < len(body):
        head = body[at:at + 5]
        size = int.from_bytes(head[1:], "big")
        if len(head) < 5 or at + 5 + size > len(body):
            raise Refused("internal", "unexpected EOF in a frame")
        message, at = body[at + 5:at + 5 + size], at + 5 + size
        if size > most:
            raise Refused("resource_exhausted",
                          f"grpc: received message larger than max ({size} vs. {most})")
        if head[0] == 1:
            if request.header("grpc-encoding") != "gzip":
                raise Refused("unimplemented", "grpc: Decompressor is not installed for grpc-encoding "
                              f'"{request.header("grpc-encoding")}"')
            try:
                message = gzip.decompress(message)
            except (OSError, EOFError, zlib.error) as error:
                raise Refused("internal", f"grpc: failed to decompress the message: {error}") from None
            if len(message) > most:
                raise Refused("resource_exhausted",
                              f"grpc: message after decompression larger than max {most}")
        elif head[0]:
            raise Refused("internal", f"grpc: flags of a frame: {head[0]}")
        out.append(message)
    return out


def answer(request, method, most, is_stream=False):
    """method(request, message) of a unary call returns the reply, or raises Refused; is_stream: of the client,
    method(request, messages)."""
    if not request.header("content-type").startswith("application/grpc") or \
            request.header("content-type")[16:17] not in ("", "+", ";"):
        return Response(415, "invalid gRPC request content-type", "text/plain")
    if request.version != "HTTP/2":
        return Response(505, "gRPC requires HTTP/2", "text/plain")
    try:
        messages = frames(request, most)
        if len(messages) != 1 and not is_stream:
            raise Refused("internal", f"{len(messages)} messages in a unary call")
        reply = method(request, messages if is_stream else messages[0])
    except Refused as refused:
        return failure(CODES[refused.code][0], refused.message)
    # As grpc-go does: in the way in which it was asked, whatever grpc-accept-encoding says.
    is_gzip = request.header("grpc-encoding") == "gzip"
    reply = gzip.compress(reply) if is_gzip else reply
    headers = [("grpc-encoding", "gzip")] if is_gzip else []
    return Response(200, bytes([is_gzip]) + len(reply).to_bytes(4, "big") + reply, "application/grpc", headers,
                    trailers=[("grpc-status", "0"), ("grpc-message", "")])
