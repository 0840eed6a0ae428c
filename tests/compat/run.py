"""`make compat`: every driver, straight and through; a whole run writes docs/compatibility.md.

    run.py [--programs] [--suites] [--only NAME]... [--deployment NAME]... [--minutes N]

Exit status 1 if anything that passes straight fails through, or is not installed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from catalogue import suites
from deployments import Deployed, deploy
from page import render
from places import ROOT
from programs import NOTHING_STRAIGHT, Compared, Program, compare, programs
from stack import Stack
from suites import Suite, SuiteResult, run_suite
from support.servers import Servers

REPORT = ROOT / "docs/compatibility.md"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", action="store_true", help="only the programs")
    parser.add_argument("--suites", action="store_true", help="only the drivers' own suites")
    parser.add_argument("--only", action="append", default=[], help="of these names only")
    parser.add_argument("--deployment", action="append", default=[], help="of these only")
    parser.add_argument("--minutes", type=float, default=80, help="bound for all suites together")
    options = parser.parse_args()
    everything = not options.programs and not options.suites
    compared: list[Compared] = []
    deployed: list[Deployed] = []
    tested: list[SuiteResult] = []
    if everything or options.programs:
        with Servers() as servers:
            stack = Stack(servers)
            compared = [_program(one, stack) for one in _chosen(programs(), options.only)]
        deployed = [_told(one) for one in deploy(compared, options.deployment)]
    if everything or options.suites:
        begun = time.monotonic()
        for suite in _chosen(suites(), options.only):
            tested.append(_suite(suite, begun + suite.until * options.minutes * 60))
    if everything and not options.only and not options.deployment:
        REPORT.write_text(render(compared, tested, deployed))
        print(f"written: {REPORT.relative_to(ROOT)}")
    else:
        print(render(compared, tested, deployed))
    all_compared = [*compared, *(one for all_ in deployed for one in all_.compared)]
    broken = sum(len(one.broken()) for one in all_compared)
    broken += sum(len(one.broken) for one in tested)
    missing = sum(bool(one.skipped) for one in compared)
    missing += sum(one.skipped == NOTHING_STRAIGHT for one in all_compared)
    missing += sum(bool(one.suite.missing) for one in tested)
    passed = sum(len(one.through) for one in [*all_compared, *tested]) - broken
    print(f"{passed} passed, {broken} failed, {missing} not installed")
    return 1 if broken or missing else 0


def _chosen(all_: list, names: list[str]) -> list:
    return [one for one in all_ if not names or one.name in names]


def _program(program: Program, stack: Stack) -> Compared:
    result = compare(program, stack)
    if result.skipped:
        print(f"{program.name}: not run: {result.skipped}", flush=True)
        return result
    print(f"{program.name}: {len(result.straight)} steps", flush=True)
    for side, outcomes in (("straight", result.straight), ("through", result.through)):
        for name, outcome in outcomes.items():
            if outcome.result != "passed":
                print(f"  {side}: {name}: {outcome.result}: {outcome.reason}", flush=True)
    return result


def _told(deployed: Deployed) -> Deployed:
    print(f"{deployed.deployment.name}:", flush=True)
    for one in deployed.compared:
        passed, wanted = one.passed()
        print(f"  {one.program.name}: {one.skipped or f'{passed} of {wanted} steps'}")
        for step, why in one.broken().items():
            print(f"    FAILS THROUGH: {step}: {why}", flush=True)
    return deployed


def _suite(suite: Suite, deadline: float) -> SuiteResult:
    print(f"{suite.name}: {suite.missing or f'{len(suite.modules)} modules'}", flush=True)
    if suite.missing:
        return SuiteResult(suite)
    with Servers() as servers, tempfile.TemporaryDirectory() as folder:
        result = run_suite(suite, Stack(servers, suite.pose), Path(folder), deadline)
    for test, why in result.broken.items():
        print(f"  FAILS THROUGH: {test}: {why}", flush=True)
    explained = len(result.explained) + len(result.of_any_proxy)
    print(f"  {result.seconds:.0f} s, {explained} explained, {len(result.flaky)} flaky")
    return result


if __name__ == "__main__":
    sys.exit(main())
