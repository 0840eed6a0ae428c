"""A copy of this machine to install into: its files below an overlay, a network of its own.

Needs root. Nothing done in it reaches the machine; it is gone with `close`.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from types import TracebackType

SET_UP = """
set -e
mount -t tmpfs none "$1"
cd "$1"
mkdir upper work root
mount -t overlay overlay -o lowerdir=/,upperdir=upper,workdir=work root
mount -t proc none root/proc
mount --rbind /dev root/dev
mount -t tmpfs none root/run
mount -t tmpfs none root/tmp
ip link set lo up
# Indexing every manual page of the machine takes a minute, and says nothing of ours.
rm -f root/var/lib/man-db/auto-update
echo ready
exec cat
"""
# What dpkg and its triggers keep about every package, and copies that account tools leave.
BOOKKEEPING = (
    "var/lib/dpkg/", "var/lib/man-db/", "var/log/", "var/cache/", "etc/passwd-", "etc/group-",
    "etc/shadow-", "etc/gshadow-", "etc/subuid-", "etc/subgid-", "etc/.pwd.lock", "etc/ld.so.cache",
)  # fmt: skip


class InstalledRoot:
    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="mongocached-root-")
        words = ["unshare", "--mount", "--net", "sh", "-c", SET_UP, "sh", self._folder.name]
        self._holder = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        if self._holder.stdout.readline() != "ready\n":
            raise RuntimeError(f"no overlay of this machine: {self._holder.stderr.read()}")
        self._top = f"/proc/{self._holder.pid}/root{self._folder.name}"

    def words(self, *command: str | Path) -> list[str]:
        """What runs `command` in here."""
        inside = ["nsenter", "--target", str(self._holder.pid), "--mount", "--net"]
        root = f"{self._folder.name}/root"
        return [*inside, "chroot", root, *map(str, command)]

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.words(*command), capture_output=True, text=True, timeout=200, check=False,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"},
        )  # fmt: skip

    def path(self, inside: str) -> Path:
        """A file in here as it is reached from outside."""
        return Path(f"{self._top}/root{inside}")

    def changed(self) -> set[str]:
        """Files that are new, different or gone, without the bookkeeping of dpkg and the like."""
        upper = Path(f"{self._top}/upper")
        out = set()
        for path in upper.rglob("*"):
            name = str(path.relative_to(upper))
            original = Path("/", name)
            if name.startswith(BOOKKEEPING) or (path.is_dir() and original.is_dir()):
                continue
            if path.is_file() and original.is_file() and path.read_bytes() == original.read_bytes():
                continue
            out.add(name)
        return out

    def close(self) -> None:
        self._holder.stdin.close()
        self._holder.wait(30)
        self._holder.stdout.close()
        self._holder.stderr.close()
        self._folder.cleanup()

    def __enter__(self) -> InstalledRoot:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.close()
