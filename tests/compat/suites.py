"""Drivers' own test suites, run straight to an upstream and through the daemon, and compared.

Both sides run at the same time, each with an upstream of its own. A test that passes straight and
fails through, and is known for it, has to pass through a daemon that only relays
(`cache.enabled = false`), or to fail there too, according to what it is known for. Any other is
repeated, alone, `REPEATS` times on both sides; what then fails straight, or passes through each
time, was chance. What is left is a fault.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from explained import explanation, proxy_explanation
from outcomes import FAILED, PASSED, SKIPPED, Outcome, Outcomes, add, outcome_of
from runners import TEST_SECONDS, Command, Runner, output_of
from stack import MONGOS, Side, Stack

REPEATS = 3
NICE = ["nice", "-n", os.environ.get("COMPAT_NICE", "5")]


@dataclass(frozen=True)
class Suite:
    name: str
    runner: Runner
    modules: Sequence[str]
    left_out: str
    until: float
    """Begins no module once this part of the time for all suites has gone."""
    module_seconds: int = 300
    pose: str = MONGOS
    """What the daemon is taken for."""

    @property
    def missing(self) -> str:
        return self.runner.missing


@dataclass
class SuiteResult:
    suite: Suite
    straight: Outcomes = field(default_factory=dict)
    through: Outcomes = field(default_factory=dict)
    flaky: list[str] = field(default_factory=list)
    explained: dict[str, str] = field(default_factory=dict)
    """Tests that the cache changes, with the reason; all pass through a daemon that only relays."""
    of_any_proxy: dict[str, str] = field(default_factory=dict)
    """Tests that fail through a daemon which only relays as well, with the reason."""
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
    """One process of a runner."""

    def __init__(self, runner: Runner, command: Command, report: Path) -> None:
        self.runner = runner
        self.report = report
        report.unlink(missing_ok=True)
        self.child = subprocess.Popen(
            [*NICE, *command.argv],
            cwd=command.folder,
            env={**os.environ, **command.environment, "COMPAT_REPORT": str(report)},
            stdin=subprocess.DEVNULL,
            stdout=output_of(report).open("w"),
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
        return self.runner.outcomes(self.report), cut


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
    runner = result.suite.runner
    runs = []
    for which, side in (("straight", stack.straight), ("through", stack.through)):
        report = folder / f"{result.suite.name}-{name}-{which}.jsonl"
        runs.append(Run(runner, runner.module(module, side), report))
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
        if outcome.result == PASSED and outcome_of(through, test).result == FAILED
    ]


def _judge(result: SuiteResult, stack: Stack, folder: Path) -> None:
    for test in differences(result.straight, result.through):
        reason = outcome_of(result.through, test).reason

        def again(side: Side, test: str = test) -> Outcome:
            runner, report = result.suite.runner, folder / "again.jsonl"
            run = Run(runner, runner.test(test, side), report)
            found, _ = run.outcomes(time.monotonic() + 2 * TEST_SECONDS)
            return outcome_of(found, test)

        if (known := explanation(test)) and again(stack.relayed).result == PASSED:
            result.explained[test] = known
            continue
        if (known := proxy_explanation(test)) and again(stack.relayed).result == FAILED:
            result.of_any_proxy[test] = known
            continue
        attempts = [(again(stack.straight), again(stack.through)) for _ in range(REPEATS)]
        straight_fails = any(a.result == FAILED for a, _ in attempts)
        if straight_fails or all(b.result != FAILED for _, b in attempts):
            result.flaky.append(test)
            result.through[test] = Outcome(PASSED if not straight_fails else FAILED)
            result.straight[test] = result.through[test]
        else:
            result.broken[test] = reason
