# SPDX-License-Identifier: GPL-2.0-or-later
"""A request and its answer, whichever HTTP carries them."""
import gzip
import time
import urllib.parse
import zlib


class Drop(Exception):
    """The connection ends here."""

    def __init__(self, is_reset=True):
        super().__init__()
        self.is_reset = is_reset


class Request:
    def __init__(self, method, target, headers, version):
        self.method, self.target, self.headers, self.version = method, target, headers, version
        self.path, _, self.query = target.partition("?")
        self.body, self.began_ns, self.took_s = b"", time.time_ns(), 0.0

    def header(self, name, default=""):
        return self.headers.get(name, default)

    def arguments(self):
        return {k: v[-1] for k, v in urllib.parse.parse_qs(self.query, keep_blank_values=True).items()}

    def is_grpc(self):
        return self.header("content-type").startswith("application/grpc")

    def inflated(self):
        """The body; zlib.error or OSError where it is not what Content-Encoding says."""
        encoding = self.header("content-encoding")
        if encoding == "gzip":
            try:
                return gzip.decompress(self.body)
            except EOFError as error:
                raise OSError(str(error)) from None
        if encoding == "deflate":
            return zlib.decompress(self.body)
        return self.body


class Response:
    def __init__(self, status, body=b"", content_type=None, headers=(), trailers=None):
        self.status, self.trailers = status, trailers
        self.body = body.encode() if isinstance(body, str) else body
        self.headers = list(headers)
        if content_type:
            self.headers.insert(0, ("content-type", content_type))
