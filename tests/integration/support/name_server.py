"""A name server of a test's own, and daemons that ask it and nobody else. Both need root.

A resolver finds its server by an address only, always on port 53: so each takes a loopback address
of its own, by chance, and a daemon gets an /etc/resolv.conf that names it, in a mount namespace of
its own.
"""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from .servers import Server, Unready

DOMAIN = "test.mongocached.example"
CLUSTER = f"cluster0.{DOMAIN}"
DNS_PORT = 53
WITH_RESOLVER = 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'


@dataclass(frozen=True)
class Records:
    """What the name server knows of the cluster. Every name below `DOMAIN` is this machine."""

    servers: Sequence[tuple[str, int]]
    """Names and ports of the SRV records."""
    text: str = ""
    """The TXT record; empty: none."""

    def options(self) -> list[str]:
        name = f"_mongodb._tcp.{CLUSTER}"
        options = [f"--srv-host={name},{host},{port}" for host, port in self.servers]
        return [*options, *([f"--txt-record={CLUSTER},{self.text}"] if self.text else [])]


def needs_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("port 53 and a resolv.conf of one's own need root")


class NameServer(Server):
    name = "dnsmasq"

    def __init__(self, directory: Path, records: Records) -> None:
        super().__init__(directory)
        self.records = records
        self.host = ".".join(["127", *(str(random.randint(1, 254)) for _ in range(3))])
        self.resolv_conf = directory / "resolv.conf"
        # A name server that is away refuses; a question that is lost is soon asked again.
        self.resolv_conf.write_text(f"nameserver {self.host}\noptions timeout:1 attempts:3\n")

    def start(self) -> None:
        self._start_on(DNS_PORT)

    def tell(self, records: Records) -> None:
        """From now on."""
        self.records = records
        self.restart()

    def argv(self) -> list[str | Path]:
        argv = [
            "dnsmasq",
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--pid-file=",
            "--user=root",
        ]
        argv += [f"--listen-address={self.host}", "--bind-interfaces", f"--port={DNS_PORT}"]
        argv += ["--no-resolv", "--no-hosts", "--log-facility=-", "--log-queries"]
        return [*argv, f"--address=/{DOMAIN}/127.0.0.1", *self.records.options()]

    def is_ready(self) -> bool:
        with socket.create_connection((self.host, DNS_PORT), timeout=1):
            return True


class ResolvingDaemon(Unready):
    """Its only name server is the test's, which may be away."""

    def __init__(
        self, directory: Path, names: NameServer, options: str, config: str = "", user: str = ""
    ) -> None:
        super().__init__(directory, f"mongodb+srv://{user}{CLUSTER}/{options}", config=config)
        self.names = names

    def argv(self) -> list[str | Path]:
        words = ["unshare", "--mount", "sh", "-c", WITH_RESOLVER, "sh", self.names.resolv_conf]
        return [*words, *super().argv()]
