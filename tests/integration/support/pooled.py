"""A daemon with upstream.auth = "pooled": users, logins by hand, connections counted outside."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from functools import cache
from pathlib import Path
from typing import Any

import bson
import pymongo

from .raw import RawConnection
from .servers import Daemon, Servers, Upstream

USERS = {"ann": "ann-pw", "bob": "bob-pw", "chief": "chief-pw"}
POOL_SIZE = 10
ESTABLISHED = "01"


def stored_keys(password: str, iterations: int = 15_000) -> str:
    """What PostgreSQL keeps of a password."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    client = hmac.digest(salted, b"Client Key", "sha256")
    stored, server = hashlib.sha256(client).digest(), hmac.digest(salted, b"Server Key", "sha256")
    salt64, stored64, server64 = (base64.b64encode(x).decode() for x in (salt, stored, server))
    return f"SCRAM-SHA-256${iterations}:{salt64}${stored64}:{server64}"


def settings(more: str = "", pool_size: int = POOL_SIZE) -> str:
    """Ann and the chief by their passwords, Bob by his keys; the chief is an administrator."""
    return f"""
[upstream]
auth = "pooled"
pool_size = {pool_size}
{more}
[[user]]
name = "ann"
password = "{USERS["ann"]}"
[[user]]
name = "bob"
scram_sha_256 = "{stored_keys(USERS["bob"])}"
[[user]]
name = "chief"
password = "{USERS["chief"]}"
admin = true
"""


def start(servers: Servers, upstream: Upstream, more: str = "", **options: Any) -> Daemon:
    return servers.daemon(upstream.uri, config=settings(more), **options)


def log_in(daemon: Daemon, user: str, **options: Any) -> pymongo.MongoClient[dict[str, Any]]:
    given = {"password": USERS.get(user), "serverSelectionTimeoutMS": 10_000, **options}
    return pymongo.MongoClient(daemon.uri, username=user, **given)


@cache
def _salted(password: str, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)


class LoginRefusedError(Exception):
    """The server's answer says why."""


class LoggedIn(RawConnection):
    """A connection that has logged in; cheap enough to have a thousand of them."""

    def __init__(
        self,
        daemon: Daemon,
        user: str,
        timeout: float = 60.0,
        password: str = "",
        source: str = "admin",
    ) -> None:
        super().__init__("127.0.0.1", daemon.port, timeout)
        try:
            self._log_in(user, password or USERS[user], source)
        except BaseException:
            self.close()
            raise

    def _log_in(self, user: str, password: str, source: str) -> None:
        nonce = base64.b64encode(os.urandom(18)).decode()
        bare = f"n={user},r={nonce}"
        begun = self.ask({"saslStart": 1, "mechanism": "SCRAM-SHA-256",
                          "payload": bson.Binary(f"n,,{bare}".encode()),
                          "options": {"skipEmptyExchange": True}, "$db": source})  # fmt: skip
        if not begun["ok"]:
            raise LoginRefusedError(begun)
        first = bytes(begun["payload"]).decode()
        parts = dict(part.split("=", 1) for part in first.split(","))
        salted = _salted(password, base64.b64decode(parts["s"]), int(parts["i"]))
        unproven = f"c=biws,r={parts['r']}"
        key = hmac.digest(salted, b"Client Key", "sha256")
        text = f"{bare},{first},{unproven}".encode()
        signature = hmac.digest(hashlib.sha256(key).digest(), text, "sha256")
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature, strict=True)))
        final = f"{unproven},p={proof.decode()}".encode()
        ended = self.ask({"saslContinue": 1, "conversationId": begun["conversationId"],
                          "payload": bson.Binary(final), "$db": source})  # fmt: skip
        if not ended.get("done"):
            raise LoginRefusedError(ended)

    def ask(self, command: dict[str, Any], **options: Any) -> dict[str, Any]:
        return self.request(command, **options).document


def connections_to(port: int, by: int) -> int:
    """How many connections the process `by` has to this port, as the kernel sees them."""
    sockets = set()
    for link in Path(f"/proc/{by}/fd").iterdir():
        try:
            sockets.add(os.readlink(link))
        except FileNotFoundError:
            continue
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    rows = (line.split() for line in lines)
    return sum(
        row[2].endswith(f":{port:04X}")
        and row[3] == ESTABLISHED
        and f"socket:[{row[9]}]" in sockets
        for row in rows
    )
