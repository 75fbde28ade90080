# SPDX-License-Identifier: GPL-2.0-or-later
"""Protocol Buffers' wire format, read and written by hand: this server shares no code with kiln."""
import struct


class Malformed(ValueError):
    """Bytes that are no message."""


def varint(data, at):
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise Malformed("truncated varint")
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & (1 << 64) - 1, at
        shift += 7


def fields(data):
    """(number, value): an int, or bytes for what has a length."""
    at, end = 0, len(data)
    while at < end:
        key, at = varint(data, at)
        kind = key & 7
        if key >> 3 == 0:
            raise Malformed("field 0")
        if kind == 0:
            value, at = varint(data, at)
        elif kind == 2:
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
            if at > end:
                raise Malformed("truncated field")
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            if at + size > end:
                raise Malformed("truncated number")
            value, at = struct.unpack_from("<Q" if kind == 1 else "<I", data, at)[0], at + size
        else:
            raise Malformed(f"wire type {kind}")
        yield key >> 3, value


class Message:
    """The fields of one message; the last value of a field counts unless all are asked for."""

    def __init__(self, data):
        self.values = {}
        for number, value in fields(data):
            self.values.setdefault(number, []).append(value)

    def all(self, number):
        return self.values.get(number, [])

    def number(self, number):
        value = self.values.get(number, (0,))[-1]
        if not isinstance(value, int):
            raise Malformed(f"field {number} is no number")
        return value

    def signed(self, number):
        return signed(self.number(number))

    def bytes(self, number):
        value = self.values.get(number, (b"",))[-1]
        if isinstance(value, int):
            raise Malformed(f"field {number} is no text")
        return value

    def text(self, number):
        return text(self.bytes(number))

    def message(self, number):
        return Message(self.bytes(number))

    def messages(self, number):
        for value in self.all(number):
            if isinstance(value, int):
                raise Malformed(f"field {number} is no message")
            yield Message(value)

    def texts(self, number):
        return [text(value) for value in self.all(number)]

    def numbers(self, number, fixed=False):
        """Of a repeated field, packed or not."""
        out = []
        for value in self.all(number):
            if isinstance(value, int):
                out.append(value)
            elif fixed:
                if len(value) % 8:
                    raise Malformed("truncated numbers")
                out += struct.unpack(f"<{len(value) // 8}Q", value)
            else:
                at = 0
                while at < len(value):
                    one, at = varint(value, at)
                    out.append(one)
        return out


def text(data):
    if isinstance(data, int):
        raise Malformed("a number where a text should be")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("string field contains invalid UTF-8") from None


def signed(value):
    return value - (1 << 64) if value >> 63 else value


def put_varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def put_number(number, value):
    return put_varint(number << 3) + put_varint(value) if value else b""


def put_double(number, value):
    return put_varint(number << 3 | 1) + struct.pack("<d", value) if value else b""


def put_fixed64(number, value):
    return put_varint(number << 3 | 1) + struct.pack("<Q", value) if value else b""


def put_bytes(number, value):
    if isinstance(value, str):
        value = value.encode()
    return put_varint(number << 3 | 2) + put_varint(len(value)) + value


def put_packed(number, values):
    return put_bytes(number, b"".join(map(put_varint, values))) if values else b""
