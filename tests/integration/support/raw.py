"""Raw exchange of OP_MSG, to compare replies byte for byte."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import bson

from support.servers import Daemon

OP_QUERY = 2004
OP_REPLY = 1
OP_MSG = 2013
MORE_TO_COME = 2
EXHAUST_ALLOWED = 1 << 16
# What may differ between two replies that say the same.
CLOCKS = frozenset({"operationTime", "$clusterTime"})

Command = Mapping[str, Any] | bytes


@dataclass(frozen=True)
class Reply:
    request_id: int
    response_to: int
    opcode: int
    flags: int
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        return bson.decode(self.body)

    @property
    def comparable(self) -> tuple[int, int, bytes]:
        """The reply without what legitimately differs: ids and the cluster's clocks."""
        return self.opcode, self.flags, without_fields(self.body, CLOCKS)


class RawConnection:
    """A socket that speaks OP_MSG and does nothing on its own: no handshake, no retries."""

    def __init__(
        self,
        host: str,
        port: int,
        timeout: float = 10.0,
        tls: ssl.SSLContext | None = None,
        source: str = "",
    ) -> None:
        self.socket = socket.create_connection((host, port), timeout, source_address=(source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self._ids = count(1)

    def request(self, command: Command, **options: Any) -> Reply:
        """Sends a command and returns its reply; checks that the reply is to this request."""
        request_id = self.send(command, **options)
        reply = self.receive()
        assert reply.response_to == request_id
        return reply

    def send(
        self,
        command: Command,
        flags: int = 0,
        sequences: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    ) -> int:
        request_id = next(self._ids)
        self.socket.sendall(op_msg(command, request_id, flags, sequences))
        return request_id

    def receive(self) -> Reply:
        """The next OP_MSG (or OP_REPLY) with one document."""
        size, request_id, response_to, opcode = struct.unpack("<iiii", self.read(16))
        payload = self.read(size - 16)
        if opcode == OP_REPLY:
            return Reply(request_id, response_to, opcode, 0, payload[20:])
        (flags,) = struct.unpack_from("<I", payload)
        assert payload[4] == 0, "a reply starts with its kind-0 section"
        return Reply(request_id, response_to, opcode, flags, payload[5:])

    def closed_by_peer(self) -> bool:
        """Waits for the peer's close; bytes instead of it are a failure."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def read(self, size: int) -> bytes:
        """Exactly so many bytes."""
        chunks = bytearray()
        while len(chunks) < size:
            chunk = self.socket.recv(min(size - len(chunks), 1 << 20))
            if not chunk:
                raise ConnectionError(f"closed by the peer after {len(chunks)} of {size} bytes")
            chunks += chunk
        return bytes(chunks)

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> RawConnection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def connect(
    daemon: Daemon, timeout: float = 30.0, tls: ssl.SSLContext | None = None
) -> RawConnection:
    return RawConnection("127.0.0.1", daemon.port, timeout, tls)


def op_msg(
    command: Command,
    request_id: int = 1,
    flags: int = 0,
    sequences: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
) -> bytes:
    body = command if isinstance(command, bytes) else bson.encode(command)
    sections = b"\0" + body
    for name, documents in (sequences or {}).items():
        content = name.encode() + b"\0" + b"".join(map(bson.encode, documents))
        sections += b"\1" + struct.pack("<i", len(content) + 4) + content
    header = struct.pack("<iiiiI", 20 + len(sections), request_id, 0, OP_MSG, flags)
    return header + sections


def op_query(command: Mapping[str, Any], request_id: int = 1, database: str = "admin") -> bytes:
    """The opcode that old handshakes use."""
    body = struct.pack("<i", 0) + f"{database}.$cmd".encode() + b"\0"
    body += struct.pack("<ii", 0, -1) + bson.encode(command)
    return struct.pack("<iiii", 16 + len(body), request_id, 0, OP_QUERY) + body


def without_fields(document: bytes, names: frozenset[str]) -> bytes:
    """The BSON document without these top-level fields; all other bytes as they were."""
    kept = b"".join(element for name, element in elements(document) if name not in names)
    return struct.pack("<i", len(kept) + 5) + kept + b"\0"


def elements(document: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and whole bytes of every top-level element."""
    at, end = 4, len(document) - 1
    assert struct.unpack_from("<i", document)[0] == len(document)
    while at < end:
        name_end = document.index(b"\0", at + 1)
        following = name_end + 1 + _value_size(document[at], document, name_end + 1)
        yield document[at + 1 : name_end].decode(), document[at:following]
        at = following


FIXED_SIZES = {
    **{0x01: 8, 0x06: 0, 0x07: 12, 0x08: 1, 0x09: 8, 0x0A: 0, 0x10: 4, 0x11: 8, 0x12: 8},
    **{0x13: 16, 0x7F: 0, 0xFF: 0},
}


def _value_size(kind: int, document: bytes, at: int) -> int:
    if kind in FIXED_SIZES:
        return FIXED_SIZES[kind]
    if kind == 0x0B:  # a regular expression: two C strings
        return document.index(b"\0", document.index(b"\0", at) + 1) + 1 - at
    (length,) = struct.unpack_from("<i", document, at)
    if kind in (0x03, 0x04, 0x0F):
        return length
    extra = {0x02: 4, 0x0D: 4, 0x0E: 4, 0x05: 5, 0x0C: 16}
    return length + extra[kind]
