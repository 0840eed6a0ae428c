"""Drivers' own test suites, run straight to an upstream and through the daemon, and compared.

Both sides run at the same time, each with an upstream of its own. A test that passes straight and
fails through is repeated, alone, `REPEATS` times on both sides; what then fails straight, or passes
through each time, was chance. What is left is run once more through a daemon that only relays
(`cache.enabled = false`).
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from explained import explanation
from outcomes import FAILED, PASSED, SKIPPED, Outcome, Outcomes, add, from_json_lines
from places import COMPAT_DEPS, HERE
from stack import Stack

REPEATS = 3
TEST_SECONDS = 60
NICE = ["nice", "-n", os.environ.get("COMPAT_NICE", "5")]


@dataclass(frozen=True)
class Suite:
    name: str
    folder: Path
    modules: Sequence[str]
    left_out: str
    until: float
    """Begins no module once this part of the time for all suites has gone."""
    module_seconds: int = 300

    @property
    def missing(self) -> str:
        return "" if self.folder.is_dir() else f"not installed: {self.folder}"


@dataclass
class SuiteResult:
    suite: Suite
    straight: Outcomes = field(default_factory=dict)
    through: Outcomes = field(default_factory=dict)
    flaky: list[str] = field(default_factory=list)
    explained: dict[str, str] = field(default_factory=dict)
    """Tests that the cache changes, with the reason; all pass through a daemon that only relays."""
    broken: dict[str, str] = field(default_factory=dict)
    """Tests that pass straight and fail through, and nobody knows why."""
    cut: list[str] = field(default_factory=list)
    """Modules that ran out of time."""
    seconds: float = 0.0

    def skipped_by_topology(self) -> dict[str, str]:
        return {
            name: outcome.reason
            for name, outcome in sorted(self.through.items())
            if outcome.result == SKIPPED and self.straight.get(name, outcome).result != SKIPPED
        }

    def only_through(self, result: str) -> dict[str, str]:
        """Tests for a mongos: skipped straight."""
        return {
            name: outcome.reason
            for name, outcome in sorted(self.through.items())
            if outcome.result == result
            and self.straight.get(name, Outcome(PASSED)).result == SKIPPED
        }


class Run:
    """One pytest process in a suite's folder."""

    def __init__(self, suite: Suite, what: Sequence[str], port: int, report: Path) -> None:
        self.report = report
        self.log = report.with_suffix(".log")
        report.unlink(missing_ok=True)
        environment = {
            **os.environ,
            **{"DB_IP": "127.0.0.1", "DB_PORT": str(port), "COMPAT_REPORT": str(report)},
            **{"PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1"},
        }
        argv = [*NICE, COMPAT_DEPS / "python/bin/python", "-m", "pytest", "-q", "--tb=short"]
        argv += ["-p", "no:cacheprovider", "-p", "report_plugin", "--timeout", str(TEST_SECONDS)]
        for scope in ("fixture", "test"):
            argv += ["-o", f"asyncio_default_{scope}_loop_scope=session"]
        self.child = subprocess.Popen(
            [*argv, *what],
            cwd=suite.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self.log.open("w"),
            stderr=subprocess.STDOUT,
        )

    def outcomes(self, end: float) -> tuple[Outcomes, bool]:
        """What it found until then, and whether it was cut short."""
        cut = False
        try:
            self.child.wait(max(0.1, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            cut = True
        return from_json_lines(self.report), cut


def run_suite(suite: Suite, stack: Stack, folder: Path, deadline: float) -> SuiteResult:
    result = SuiteResult(suite)
    begun = time.monotonic()
    for module in suite.modules:
        if time.monotonic() > deadline:
            result.cut.append(f"{module} (not begun)")
            continue
        _run_module(result, module, stack, folder)
    _judge(result, stack, folder)
    result.seconds = time.monotonic() - begun
    return result


def _run_module(result: SuiteResult, module: str, stack: Stack, folder: Path) -> None:
    end = time.monotonic() + result.suite.module_seconds
    name = module.replace("/", ".")
    runs = [
        Run(result.suite, [module], port, folder / f"{result.suite.name}-{name}-{side}.jsonl")
        for side, port in (("straight", stack.straight), ("through", stack.through))
    ]
    (straight, cut), (through, also_cut) = (run.outcomes(end) for run in runs)
    if cut or also_cut:
        result.cut.append(module)
        # Only what both sides came to can be compared.
        straight = {test: straight[test] for test in straight if test in through}
        through = {test: through[test] for test in through if test in straight}
    for test, outcome in straight.items():
        add(result.straight, test, outcome)
    for test, outcome in through.items():
        add(result.through, test, outcome)
    note = ", out of time" if cut or also_cut else ""
    print(f"  {module}: {len(through)} tests{note}", flush=True)


def differences(straight: Outcomes, through: Outcomes) -> list[str]:
    """What passes straight and does not pass through, skipped ones aside."""
    return [
        test
        for test, outcome in sorted(straight.items())
        if outcome.result == PASSED
        and through.get(test, Outcome(FAILED, "not reported")).result == FAILED
    ]


def _judge(result: SuiteResult, stack: Stack, folder: Path) -> None:
    for test in differences(result.straight, result.through):
        reason = result.through.get(test, Outcome(FAILED, "not reported")).reason

        def again(port: int, test: str = test) -> Outcome:
            run = Run(result.suite, [test], port, folder / "again.jsonl")
            found, _ = run.outcomes(time.monotonic() + 2 * TEST_SECONDS)
            return found.get(test, Outcome(FAILED, "not reported"))

        attempts = [(again(stack.straight), again(stack.through)) for _ in range(REPEATS)]
        straight_fails = any(a.result == FAILED for a, _ in attempts)
        if straight_fails or all(b.result != FAILED for _, b in attempts):
            result.flaky.append(test)
            result.through[test] = Outcome(PASSED if not straight_fails else FAILED)
            result.straight[test] = result.through[test]
            continue
        known = explanation(test)
        if known and again(stack.relayed).result == PASSED:
            result.explained[test] = known
        else:
            result.broken[test] = reason
