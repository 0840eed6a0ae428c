"""A name server that takes questions and answers none."""

from __future__ import annotations

import random
import socket
from pathlib import Path
from typing import Any

from .name_server import DNS_PORT, WITH_RESOLVER
from .servers import Unready


class SilentNameServer:
    def __init__(self, directory: Path) -> None:
        host = ".".join(["127", *(str(random.randint(1, 254)) for _ in range(3))])
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, DNS_PORT))
        self._socket.settimeout(10)
        self.resolv_conf = directory / "resolv.conf"
        self.resolv_conf.write_text(f"nameserver {host}\noptions timeout:30 attempts:2\n")

    def wait_until_asked(self, name: str) -> None:
        """Reads on until somebody has asked for this name."""
        wanted = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
        while wanted not in self._socket.recv(512):
            pass

    def close(self) -> None:
        self._socket.close()


class UnansweredDaemon(Unready):
    """Its only name server is a silent one."""

    def __init__(self, directory: Path, names: SilentNameServer, uri: str, **given: Any) -> None:
        super().__init__(directory, uri, **given)
        self.names = names

    def argv(self) -> list[str | Path]:
        words = ["unshare", "--mount", "sh", "-c", WITH_RESOLVER, "sh", self.names.resolv_conf]
        return [*words, *super().argv()]
