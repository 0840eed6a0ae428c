"""Gives a server that speaks plainly OP_COMPRESSED, as a mongod has it, and tells who used it.

In front of a port of this machine. A hello that offers compressors is answered with those that the
relay has, too; a compressed request is answered in its own compressor, a plain one plainly.
"""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import bson
from pymongo.compression_support import SnappyContext, ZlibContext, ZstdContext, decompress

from .raw import MORE_TO_COME, OP_MSG, OP_QUERY

OP_COMPRESSED = 2012
LARGEST_MESSAGE = 48_000_000
CONTEXTS: dict[str, Any] = {
    "snappy": SnappyContext(),
    "zlib": ZlibContext(-1),
    "zstd": ZstdContext(),
}
NAMES = {context.compressor_id: name for name, context in CONTEXTS.items()}
HELLO = ("hello", "isMaster", "ismaster")


class CompressingRelay(socketserver.ThreadingTCPServer):
    """`with` it: it listens inside, and its connections end behind it."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(self, target: int, has: Sequence[str] = tuple(CONTEXTS)) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.target = target
        self.has = has
        """The compressors of the server; may change at any time."""
        self.spoil: Callable[[bytes], bytes] | None = None
        """What becomes of a compressed reply to a find, a whole message."""
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, str]] = Counter()
        self._replies: Counter[str] = Counter()
        self._offers: list[Any] = []
        self._ends: set[socket.socket] = set()
        self._thread = threading.Thread(target=self.serve_forever, daemon=True)

    @property
    def port(self) -> int:
        return self.server_address[1]

    def uri(self, compressors: str, user: str = "") -> str:
        options = f"directConnection=true&authSource=admin&compressors={compressors}"
        return f"mongodb://{user}{'@' if user else ''}127.0.0.1:{self.port}/?{options}"

    def requests(self, command: str) -> dict[str, int]:
        """How many of that command came, by their compressor; "" for plain ones."""
        with self._lock:
            return {name: n for (what, name), n in self._requests.items() if what == command}

    def replies(self) -> dict[str, int]:
        with self._lock:
            return dict(self._replies)

    def offers(self) -> list[Any]:
        """The `compression` of every hello so far."""
        with self._lock:
            return list(self._offers)

    def came(self, command: str, compressor: str, offer: Any) -> None:
        with self._lock:
            self._requests[command, compressor] += 1
            if command in HELLO:
                self._offers.append(offer)

    def went(self, compressor: str) -> None:
        with self._lock:
            self._replies[compressor] += 1

    def holds(self, *ends: socket.socket) -> None:
        with self._lock:
            self._ends.update(ends)

    def lets_go(self, *ends: socket.socket) -> None:
        with self._lock:
            self._ends.difference_update(ends)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A daemon that leaves in the middle is no fault."""

    def __enter__(self) -> CompressingRelay:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        with self._lock:
            for end in self._ends:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        self.server_close()
        self._thread.join()


class _Connection(socketserver.BaseRequestHandler):
    server: CompressingRelay

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.target)) as far:
            for end in (far, self.request):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.server.holds(far, self.request)
            try:
                while message := _read(self.request):
                    self._pass(message, far)
            finally:
                self.server.lets_go(far, self.request)

    def _pass(self, message: bytes, far: socket.socket) -> None:
        message, compressor = _unpacked(message)
        command = _command(message)
        name = next(iter(command))
        offer = command.get("compression")
        self.server.came(name, compressor, offer)
        far.sendall(message)
        more = not _flags(message) & MORE_TO_COME
        while more:
            reply = _read(far)
            if not reply:
                raise ConnectionError("the server left")
            more = bool(_flags(reply) & MORE_TO_COME)
            if name in HELLO and offer:
                reply = _with_compression(reply, [c for c in offer if c in self.server.has])
            self.server.went(compressor)
            sent = _packed(reply, compressor) if compressor else reply
            # libmongoc ends the process at what is broken on the daemon's own connections.
            if compressor and name == "find" and self.server.spoil:
                sent = self.server.spoil(sent)
            self.request.sendall(sent)


def _packed(message: bytes, compressor: str) -> bytes:
    context = CONTEXTS[compressor]
    body = context.compress(message[16:])
    fields = message[12:16] + struct.pack("<iB", len(message) - 16, context.compressor_id)
    size = 16 + len(fields) + len(body)
    header = struct.pack("<i", size) + message[4:12] + struct.pack("<i", OP_COMPRESSED)
    return header + fields + body


def _read(source: socket.socket) -> bytes:
    """A whole message; empty at the end of the stream."""
    header = _read_exactly(source, 16)
    if not header:
        return b""
    return header + _read_exactly(source, struct.unpack_from("<i", header)[0] - 16)


def _read_exactly(source: socket.socket, size: int) -> bytes:
    out = bytearray()
    while len(out) < size:
        chunk = source.recv(min(size - len(out), 1 << 20))
        if not chunk:
            return b""
        out += chunk
    return bytes(out)


def _opcode(message: bytes) -> int:
    return struct.unpack_from("<i", message, 12)[0]


def _unpacked(message: bytes) -> tuple[bytes, str]:
    """The message inside, and its compressor; "" for a plain one."""
    if _opcode(message) != OP_COMPRESSED:
        return message, ""
    opcode, size, number = struct.unpack_from("<iiB", message, 16)
    body = decompress(message[25:], number, LARGEST_MESSAGE)
    assert len(body) == size, "the daemon announces what it sends"
    header = struct.pack("<i", 16 + size) + message[4:12] + struct.pack("<i", opcode)
    return header + body, NAMES[number]


def _flags(message: bytes) -> int:
    return struct.unpack_from("<I", message, 16)[0] if _opcode(message) == OP_MSG else 0


def _body_at(message: bytes) -> int:
    """Where the document of a request, or of a reply without other sections, begins."""
    if _opcode(message) == OP_MSG:
        return 21
    if _opcode(message) == OP_QUERY:
        return message.index(b"\0", 20) + 9
    return 36


def _command(message: bytes) -> dict[str, Any]:
    at = _body_at(message)
    (size,) = struct.unpack_from("<i", message, at)
    return bson.decode(message[at : at + size])


def _with_compression(reply: bytes, names: list[str]) -> bytes:
    at = _body_at(reply)
    document = bson.decode(reply[at:])
    document.pop("compression", None)
    if names:
        document["compression"] = names
    body = reply[4:at] + bson.encode(document)
    return struct.pack("<i", 4 + len(body)) + body
