"""How a driver's own tests are run: each way names a process and reads what became of its tests."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from outcomes import FAILED, Outcome, Outcomes, from_go_events, from_json_lines
from places import COMPAT_DEPS, HERE
from stack import Side

TEST_SECONDS = 60
HEARTBEAT_MS = 1000


@dataclass(frozen=True)
class Command:
    argv: Sequence[str | Path]
    folder: Path
    environment: Mapping[str, str]


class Runner(Protocol):
    @property
    def missing(self) -> str:
        """Why it cannot be run, or ""."""

    def module(self, name: str, side: Side) -> Command:
        """All tests of a module. $COMPAT_REPORT will name a file to report in."""

    def test(self, name: str, side: Side) -> Command:
        """One test by the name that its outcome has."""

    def outcomes(self, report: Path) -> Outcomes:
        """What is in the report, or in `output_of(report)`; the run may have been cut short."""


def output_of(report: Path) -> Path:
    """What the process printed."""
    return report.with_suffix(".log")


@dataclass(frozen=True)
class Pytest:
    folder: Path

    @property
    def missing(self) -> str:
        return "" if self.folder.is_dir() else f"not installed: {self.folder}"

    def module(self, name: str, side: Side) -> Command:
        argv = [COMPAT_DEPS / "python/bin/python", "-m", "pytest", "-q", "--tb=short"]
        argv += ["-p", "no:cacheprovider", "-p", "report_plugin", "--timeout", str(TEST_SECONDS)]
        for scope in ("fixture", "test"):
            argv += ["-o", f"asyncio_default_{scope}_loop_scope=session"]
        environment = {
            **{"DB_IP": "127.0.0.1", "DB_PORT": str(side.port)},
            **{"PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1"},
        }
        return Command([*argv, name], self.folder, environment)

    test = module  # pytest takes either name

    def outcomes(self, report: Path) -> Outcomes:
        return from_json_lines(report)


@dataclass(frozen=True)
class GoTest:
    """A test binary made by `go test -c`; its modules are the test files that it was made of."""

    binary: Path
    folder: Path
    """Where its sources are, and what they open by a relative path."""
    left_out: Sequence[str] = ()
    """Tests by name, each with all its parts."""

    @property
    def missing(self) -> str:
        return "" if self.binary.is_file() else f"not installed: {self.binary}"

    @property
    def _to_events(self) -> Path:
        return self.binary.parent / "test2json"

    def module(self, name: str, side: Side) -> Command:
        source = (self.folder / f"{name}_test.go").read_text()
        tests = re.findall(r"^func (Test\w+)\(\w+ \*testing\.T\)", source, re.MULTILINE)
        return self._command(f"^({'|'.join(tests)})$", side)

    def test(self, name: str, side: Side) -> Command:
        return self._command(go_pattern(name), side)

    def _command(self, pattern: str, side: Side) -> Command:
        argv = [self.binary, "-test.v=test2json", "-test.run", pattern]
        if self.left_out:
            argv += ["-test.skip", "|".join(map(go_pattern, self.left_out))]
        # Many tests wait for the next heartbeat, 10 s by default.
        uri = f"{side.uri}&heartbeatFrequencyMS={HEARTBEAT_MS}"
        return Command(argv, self.folder, {"MONGODB_URI": uri})

    def outcomes(self, report: Path) -> Outcomes:
        with output_of(report).open() as output:
            events = subprocess.check_output([self._to_events, "-t"], stdin=output, text=True)
        found = from_go_events(events)
        if found:
            return found
        words = output_of(report).read_text(errors="replace").split()
        return {"TestMain": Outcome(FAILED, f"no test was begun: {' '.join(words)[-300:]}")}


def go_pattern(test: str) -> str:
    """For -test.run and -test.skip, which match part by part."""
    return "/".join(f"^{re.escape(part)}$" for part in test.split("/"))
