"""Frames between the model server and a worker.

A frame is ``u32 header length, u32 zero, u64 payload length`` (little-endian), a JSON header, and a payload. The
header's ``tensors`` list ``{name, datatype, shape, bytes}``; their data lie in the payload in that order, each
beginning at a multiple of 8. Numbers are raw little-endian; a BYTES tensor is one i32 length per element (-1: missing)
followed by all the bytes. ``frames.ts`` is the other end.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Union

PROTOCOL = 1
MAX_HEADER_BYTES = 16 << 20
MAX_PAYLOAD_BYTES = 2 << 30

Buffer = Union[bytes, bytearray, memoryview]

#: V2 datatype -> struct format and size.
FORMATS = {
    "BOOL": ("B", 1), "UINT8": ("B", 1), "UINT16": ("H", 2), "UINT32": ("I", 4), "UINT64": ("Q", 8),
    "INT8": ("b", 1), "INT16": ("h", 2), "INT32": ("i", 4), "INT64": ("q", 8),
    "FP16": ("e", 2), "FP32": ("f", 4), "FP64": ("d", 8),
}  # fmt: skip

#: numpy dtype -> V2 datatype.
DATATYPES = {
    "bool": "BOOL", "uint8": "UINT8", "uint16": "UINT16", "uint32": "UINT32", "uint64": "UINT64",
    "int8": "INT8", "int16": "INT16", "int32": "INT32", "int64": "INT64",
    "float16": "FP16", "float32": "FP32", "float64": "FP64",
}  # fmt: skip

_PREFIX = struct.Struct("<IIQ")


class Tensor(NamedTuple):
    """A named n-dimensional array as it travels: ``data`` is the raw bytes."""

    name: str
    datatype: str
    shape: Sequence[int]
    data: Buffer

    def elements(self) -> int:
        """The number of elements."""
        count = 1
        for size in self.shape:
            count *= size
        return count

    def values(self) -> list[Any]:
        """All elements, flat, as Python values. BOOL gives bools; BYTES gives str, bytes or None."""
        if self.datatype == "BYTES":
            return unpack_text(self.data, self.elements())
        code, _ = FORMATS[self.datatype]
        numbers = list(struct.unpack(f"<{self.elements()}{code}", self.data))
        return [value != 0 for value in numbers] if self.datatype == "BOOL" else numbers


def unpack_text(data: Buffer, count: int) -> list[Union[str, bytes, None]]:
    """Reads the elements of a BYTES tensor; text where it is UTF-8."""
    lengths = struct.unpack_from(f"<{count}i", data)
    body = bytes(memoryview(data)[4 * count :])
    if not body.isascii():
        return _unpack_wide(lengths, body)
    text = body.decode("ascii")
    result: list[Union[str, bytes, None]] = []
    start = 0
    for length in lengths:
        result.append(None if length < 0 else text[start : start + length])
        start += max(length, 0)
    return result


def _unpack_wide(lengths: Sequence[int], body: bytes) -> list[Union[str, bytes, None]]:
    result: list[Union[str, bytes, None]] = []
    start = 0
    for length in lengths:
        piece = body[start : start + max(length, 0)]
        start += len(piece)
        if length < 0:
            result.append(None)
            continue
        try:
            result.append(piece.decode("utf-8"))
        except UnicodeDecodeError:
            result.append(piece)
    return result


def pack_text(values: Iterable[Any]) -> bytes:
    """Writes the elements of a BYTES tensor; what is neither text nor bytes nor None is written as ``str`` gives it."""
    pieces: list[bytes | None] = []
    for value in values:
        if value is None or isinstance(value, bytes):
            pieces.append(value)
        else:
            pieces.append(str(value).encode("utf-8", "surrogatepass"))
    lengths = [-1 if piece is None else len(piece) for piece in pieces]
    return struct.pack(f"<{len(lengths)}i", *lengths) + b"".join(piece for piece in pieces if piece is not None)


class Connection:
    """One end of the socket."""

    def __init__(self, peer: str | socket.socket) -> None:
        """Connects to the socket at a path, or takes one that is connected."""
        if isinstance(peer, str):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.connect(peer)
        else:
            self._socket = peer
        self._reader = self._socket.makefile("rb", buffering=1 << 16)

    def close(self) -> None:
        """Closes this end; the other one sees the end of the connection."""
        self._reader.close()
        self._socket.close()

    def let_go(self) -> None:
        """In a fork: gives up this process's copy, so that the other side sees when the one that was forked ends. Takes no lock."""
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, self._socket.fileno())
        os.close(nothing)

    def is_waiting(self) -> bool:
        """Whether a frame, or the end of the connection, can be received without waiting."""
        return bool(select.select([self._socket], [], [], 0)[0])

    def receive(self) -> tuple[dict[str, Any], list[Tensor]] | None:
        """Waits for the next frame; None when the server has closed the connection."""
        prefix = self._reader.read(_PREFIX.size)
        if len(prefix) < _PREFIX.size:
            return None
        header_bytes, _, payload_bytes = _PREFIX.unpack(prefix)
        if header_bytes > MAX_HEADER_BYTES or payload_bytes > MAX_PAYLOAD_BYTES:
            raise ValueError(f"a frame of {header_bytes} + {payload_bytes} bytes is larger than the protocol allows")
        header = json.loads(self._reader.read(header_bytes))
        payload = bytearray(payload_bytes)
        if self._reader.readinto(payload) < payload_bytes:
            return None
        return header, _split(header.get("tensors", ()), payload)

    def send(self, header: dict[str, Any], tensors: Sequence[Tensor] = ()) -> None:
        """Sends one frame; numeric data are not copied."""
        parts: list[Buffer] = []
        size = 0
        described = []
        for tensor in tensors:
            data = memoryview(tensor.data).cast("B") if len(tensor.data) else b""
            padding = -size % 8
            if padding:
                parts.append(bytes(padding))
            parts.append(data)
            size += padding + len(data)
            described.append(
                {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape), "bytes": len(data)}
            )
        text = json.dumps({**header, "tensors": described} if described else header).encode("utf-8", "surrogatepass")
        prefix = _PREFIX.pack(len(text), 0, size)
        if size <= 1 << 16:
            self._socket.sendall(b"".join((prefix, text, *parts)))
            return
        self._socket.sendall(prefix + text)
        for part in parts:
            self._socket.sendall(part)


def _split(described: Sequence[dict[str, Any]], payload: bytearray) -> list[Tensor]:
    view = memoryview(payload)
    tensors = []
    start = 0
    for entry in described:
        start += -start % 8
        end = start + entry["bytes"]
        tensors.append(Tensor(entry["name"], entry["datatype"], entry["shape"], view[start:end]))
        start = end
    return tensors
