"""A relay that sees how the messages between a driver and the daemon are compressed."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import struct
import threading
from collections import Counter
from typing import Any

HEADER, COMPRESSOR_AT = 16, 24
OP_COMPRESSED = 2012
COMPRESSORS = {1: "snappy", 2: "zlib", 3: "zstd"}
CHUNK = 1 << 16


class Frames:
    """One direction of one connection: the compressors of its messages, in order."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._skip = 0

    def feed(self, chunk: bytes) -> list[str]:
        """What the messages that `chunk` tells enough of are compressed with; "" for plain."""
        seen = []
        while chunk:
            passed, chunk = chunk[: self._skip], chunk[self._skip :]
            self._skip -= len(passed)
            wanted = self._wanted() - len(self._head)
            self._head += chunk[:wanted]
            chunk = chunk[wanted:]
            if len(self._head) >= HEADER and len(self._head) == self._wanted():
                seen.append(self._ended())
        return seen

    def _wanted(self) -> int:
        """How much of a message's beginning has to be seen."""
        if len(self._head) < HEADER:
            return HEADER
        return COMPRESSOR_AT + 1 if self._opcode() == OP_COMPRESSED else HEADER

    def _opcode(self) -> int:
        return struct.unpack_from("<i", self._head, 12)[0]

    def _ended(self) -> str:
        size = struct.unpack_from("<i", self._head)[0]
        compressed = self._opcode() == OP_COMPRESSED
        name = COMPRESSORS.get(self._head[COMPRESSOR_AT], "unknown") if compressed else ""
        self._skip = max(0, size - len(self._head))
        self._head.clear()
        return name


class _Passing(socketserver.BaseRequestHandler):
    server: WireTap

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.target)) as far:
            back = threading.Thread(target=self._pump, args=(far, self.request, "reply"))
            back.start()
            self._pump(self.request, far, "request")
            back.join()

    def _pump(self, source: socket.socket, sink: socket.socket, way: str) -> None:
        frames = Frames()
        try:
            while chunk := source.recv(CHUNK):
                self.server.saw(way, frames.feed(chunk))
                sink.sendall(chunk)
            sink.shutdown(socket.SHUT_WR)
        except OSError:  # a driver that leaves at once is no fault
            for end in (source, sink):
                _reset(end)


def _reset(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


class WireTap(socketserver.ThreadingTCPServer):
    """In front of a port of this machine; ends with `stop`."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, target: int) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.target = target
        self._lock = threading.Lock()
        self._seen: Counter[tuple[str, str]] = Counter()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        return self.server_address[1]

    def saw(self, way: str, compressors: list[str]) -> None:
        with self._lock:
            self._seen.update((way, name) for name in compressors)

    def take(self) -> dict[str, set[str]]:
        """By direction, what messages were compressed with since the last call."""
        with self._lock:
            seen = {way: {n for w, n in self._seen if w == way and n} for way in WAYS}
            self._seen.clear()
        return seen

    def stop(self) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that ends badly is the driver's business, which tells of it."""


WAYS = ("request", "reply")
