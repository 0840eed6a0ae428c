"""An upstream that answers as a test says: kinds that SecantusDB cannot be, and replies that wait.

It speaks as much of the protocol as the daemon needs to find, probe and read it. `holding` keeps
the replies to one command back, and says when such a command has come.
"""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import bson
from bson import Int64, Timestamp

from .raw import MORE_TO_COME, OP_MSG, OP_QUERY, OP_REPLY

Document = dict[str, Any]

LIMITS: Document = {"maxBsonObjectSize": 16 << 20, "maxMessageSizeBytes": 48_000_000}
LIMITS |= {"maxWriteBatchSize": 100_000, "logicalSessionTimeoutMinutes": 30}
LIMITS |= {"minWireVersion": 0, "maxWireVersion": 21, "helloOk": True, "readOnly": False}
STANDALONE: Document = {"isWritablePrimary": True, "ismaster": True}
MONGOS: Document = {**STANDALONE, "msg": "isdbgrid"}
PRIMARY: Document = {**STANDALONE, "setName": "rs0", "setVersion": 1}
SECONDARY: Document = {"isWritablePrimary": False, "ismaster": False, "secondary": True}
SECONDARY |= {"setName": "rs0", "setVersion": 1}


class ScriptedUpstream:
    """Every `find` brings one document with the `_id` asked for; other commands just succeed."""

    def __init__(self, kind: Mapping[str, Any] = PRIMARY) -> None:
        self.kind = kind
        """What its hello says; may change at any time."""
        self.time = Timestamp(1_700_000_000, 1)
        """Its operationTime."""
        self.asked: Counter[str] = Counter()
        """How often each command has come."""
        self._counting = threading.Lock()
        self._held: dict[str, tuple[threading.Event, threading.Event]] = {}
        self._server = _Server(("127.0.0.1", 0), _Connection)
        self._server.upstream = self
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def uri(self) -> str:
        set_name = "replicaSet=rs0&" if "setName" in self.kind else ""
        return f"mongodb://127.0.0.1:{self.port}/?{set_name}heartbeatFrequencyMS=500"

    @contextmanager
    def holding(self, command: str) -> Iterator[Callable[[], bool]]:
        """Inside, replies to this command wait; what it yields tells whether one does."""
        arrived, released = self._held[command] = threading.Event(), threading.Event()
        try:
            yield arrived.is_set
        finally:
            self._held.pop(command, None)
            released.set()

    def release(self, command: str) -> None:
        """What is held goes on before the end of `holding`."""
        _, released = self._held.pop(command)
        released.set()

    def received(self, command: Document, sections: bytes) -> None:
        """For who looks at them: the bytes behind the command's body."""

    def leaves_behind(self, _command: Document) -> bool:
        """For who has it close a connection along with the answer to this."""
        return False

    def answer(self, command: Document) -> Document:
        name = next(iter(command))
        with self._counting:
            self.asked[name] += 1
        if held := self._held.get(name):
            arrived, released = held
            arrived.set()
            released.wait()
        reply = self._reply(name, command)
        reply.setdefault("ok", 1.0)
        if "setName" in self.kind or "msg" in self.kind:
            signature = {"hash": bytes(20), "keyId": Int64(0)}
            reply["$clusterTime"] = {"clusterTime": self.time, "signature": signature}
            reply["operationTime"] = self.time
        return reply

    def _reply(self, name: str, command: Document) -> Document:
        database = command.get("$db", "admin")
        match name:
            case "hello" | "isMaster" | "ismaster":
                hosts = {"hosts": [f"127.0.0.1:{self.port}"], "me": f"127.0.0.1:{self.port}"}
                return {**LIMITS, **self.kind, **(hosts if "setName" in self.kind else {})}
            case "listCollections":
                one = {"name": command["filter"]["name"], "type": "collection", "options": {}}
                return _cursor(f"{database}.$cmd.listCollections", [one])
            case "find":
                id_ = command.get("filter", {}).get("_id", 0)
                return _cursor(f"{database}.{command['find']}", [{"_id": id_}])
            case "getMore":
                return _cursor(f"{database}.{command['collection']}", [{"_id": 0}], "nextBatch")
            case "aggregate" if "$changeStream" in next(iter(command["pipeline"]), {}):
                return {"ok": 0.0, "code": 40573, "errmsg": "no change streams here"}
            case "getDefaultRWConcern":
                return {"ok": 0.0, "code": 59, "errmsg": "no such command"}
            case "connectionStatus":
                return {"authInfo": {"authenticatedUsers": [], "authenticatedUserRoles": []}}
        return {"n": 1}

    def __enter__(self) -> ScriptedUpstream:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _cursor(namespace: str, documents: list[Document], batch: str = "firstBatch") -> Document:
    return {"cursor": {batch: documents, "id": Int64(0), "ns": namespace}}


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False  # the daemon's connections end with the daemon
    request_queue_size = 1024
    upstream: ScriptedUpstream


class _Connection(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    server: _Server

    def handle(self) -> None:
        with suppress(OSError):  # the daemon left
            self._serve()

    def _serve(self) -> None:
        while len(header := self.rfile.read(16)) == 16:
            size, request_id, _, opcode = struct.unpack("<iiii", header)
            payload = self.rfile.read(size - 16)
            if opcode == OP_QUERY:  # flags, name, skip, limit, document
                body = payload[payload.index(b"\0", 4) + 9 :]
                reply = struct.pack("<iqii", 8, 0, 0, 1)
            else:  # flags, kind 0, document; perhaps other sections
                (length,) = struct.unpack_from("<i", payload, 5)
                body = payload[5 : 5 + length]
                reply = struct.pack("<IB", 0, 0)
            command = bson.decode(body)
            if opcode == OP_MSG:
                self.server.upstream.received(command, payload[5 + length :])
            answer = reply + bson.encode(self.server.upstream.answer(command))
            if opcode == OP_MSG and payload[0] & MORE_TO_COME:
                continue
            answered_with = OP_REPLY if opcode == OP_QUERY else OP_MSG
            sizes = struct.pack("<iiii", 16 + len(answer), 0, request_id, answered_with)
            if self.server.upstream.leaves_behind(command):  # reply and end in one segment
                self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
                self.wfile.write(sizes + answer)
                self.connection.shutdown(socket.SHUT_WR)
                return
            self.wfile.write(sizes + answer)
