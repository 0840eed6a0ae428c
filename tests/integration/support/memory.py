"""How much memory a daemon takes."""

from __future__ import annotations

from pathlib import Path

from .servers import Daemon


class Peak:
    """How high the daemon's resident memory has risen since this was made."""

    def __init__(self, daemon: Daemon) -> None:
        self._process = Path(f"/proc/{daemon.process.pid}")
        (self._process / "clear_refs").write_text("5")  # the high-water mark begins anew
        self._before = self._read("VmRSS")

    @property
    def growth(self) -> int:
        return self._read("VmHWM") - self._before

    def _read(self, name: str) -> int:
        for line in (self._process / "status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"no {name}")
