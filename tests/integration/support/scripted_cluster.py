"""Scripted servers that belong together: members of a replica set, mongoses of a cluster."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from bson import Int64, ObjectId

from .scripted_upstream import MONGOS, PRIMARY, SECONDARY, Document, ScriptedUpstream


class SetMember(ScriptedUpstream):
    """Of a set that others are in. Commands named in `refusals` are answered so, and do nothing."""

    def __init__(self, kind: Mapping[str, Any] = SECONDARY) -> None:
        super().__init__(kind)
        self.hosts: list[str] = []
        self.me = f"127.0.0.1:{self.port}"
        """One of the hosts."""
        self.refusals: dict[str, Document] = {}

    def _reply(self, name: str, command: Document) -> Document:
        if refusal := self.refusals.get(name):
            return dict(refusal)
        reply = super()._reply(name, command)
        return {**reply, "hosts": self.hosts, "me": self.me} if "hosts" in reply else reply


class ScriptedSet:
    """Members of which one at a time is primary. They tell nobody: they have to be asked."""

    def __init__(self, count: int = 2) -> None:
        self.members = [SetMember() for _ in range(count)]
        self.primary = self.members[0]
        self._term = 0
        self.publish()
        self.elect(self.primary)

    def publish(self) -> None:
        """Makes `me` of each known to all."""
        for member in self.members:
            member.hosts = [each.me for each in self.members]

    @property
    def uri(self) -> str:
        return f"mongodb://{','.join(self.primary.hosts)}/?replicaSet=rs0"

    @property
    def secondary(self) -> SetMember:
        return next(member for member in self.members if member is not self.primary)

    def elect(self, member: SetMember) -> None:
        self._term += 1
        self.primary = member
        for other in self.members:
            if other is not member:
                other.kind = SECONDARY
        member.kind = {**PRIMARY, "electionId": ObjectId(f"7fffffff{self._term:016x}")}

    def __enter__(self) -> ScriptedSet:
        for member in self.members:
            member.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        for member in self.members:
            member.__exit__()


class ScriptedMongos(ScriptedUpstream):
    """Its cursors and transactions are its own; it hands out a recovery token."""

    CURSOR_NOT_FOUND = 43
    NO_SUCH_TRANSACTION = 251

    def __init__(self, number: int) -> None:
        super().__init__(MONGOS)
        self.token: Document = {"recoveryShardId": f"shard{number}"}
        self.bodies: list[Document] = []
        """Every OP_MSG command that has come."""
        self._cursors = {Int64(1000 * (number + 1))}
        self._transactions: set[bytes] = set()
        self._lock = threading.Lock()

    def received(self, command: Document, sections: bytes) -> None:  # noqa: ARG002
        self.bodies.append(command)

    def last(self, name: str) -> Document:
        return next(body for body in reversed(self.bodies) if next(iter(body)) == name)

    def _reply(self, name: str, command: Document) -> Document:
        reply = super()._reply(name, command)
        if name == "find" and "batchSize" in command:
            reply["cursor"]["id"] = next(iter(self._cursors))
        if name == "getMore" and command["getMore"] not in self._cursors:
            return {"ok": 0.0, "code": self.CURSOR_NOT_FOUND, "errmsg": "cursor not found"}
        if name == "getMore":
            reply["cursor"]["id"] = command["getMore"]
        if command.get("autocommit") is False:
            return self._in_transaction(name, command, reply)
        return reply

    def _in_transaction(self, name: str, command: Document, reply: Document) -> Document:
        transaction = bytes(command["lsid"]["id"])
        with self._lock:
            if command.get("startTransaction"):
                self._transactions.add(transaction)
            known = transaction in self._transactions
        # Behind any mongos a commit can be carried on by its token.
        if not known and not (name == "commitTransaction" and "recoveryToken" in command):
            labels = ["TransientTransactionError"]
            return {
                "ok": 0.0,
                "code": self.NO_SUCH_TRANSACTION,
                "errmsg": "none",
                "errorLabels": labels,
            }
        return {**reply, "recoveryToken": self.token}
