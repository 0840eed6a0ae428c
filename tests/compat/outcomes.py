"""What became of the tests of one run, by name: `passed`, `failed` or `skipped`, with a reason."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


@dataclass(frozen=True)
class Outcome:
    result: str
    reason: str = ""


Outcomes = dict[str, Outcome]
# A test that has parts fails with any of them, and is skipped only if no part was run.
RANK = {FAILED: 2, PASSED: 1, SKIPPED: 0}
GO_RESULTS = {"pass": PASSED, "fail": FAILED, "skip": SKIPPED}
GO_ASSERTION = re.compile(r" Error: (.*?) Test: \S+(?: Messages: (.*?))?(?= \S+\.go:\d+: |$)")
GO_MARK = re.compile(r"\s*(===|---) ")


def add(outcomes: Outcomes, name: str, outcome: Outcome) -> None:
    before = outcomes.get(name)
    if before is None or RANK[outcome.result] > RANK[before.result]:
        outcomes[name] = outcome


def from_json_lines(path: Path) -> Outcomes:
    """What `report_plugin.py` wrote. The last line may be cut short, if the run was."""
    outcomes: Outcomes = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            break
        add(outcomes, entry["test"], Outcome(entry["result"], entry["reason"]))
    return outcomes


def from_go_events(text: str) -> Outcomes:
    """What `go test -json` tells. A test whose parts fail has not failed by itself."""
    ended: dict[str, str] = {}
    said: dict[str, list[str]] = {}
    for event in map(json.loads, filter(None, text.split("\n"))):
        test = event.get("Test", "")
        if test and event["Action"] == "output":
            said.setdefault(test, []).append(event["Output"])
        elif test and event["Action"] in GO_RESULTS:
            ended[test] = GO_RESULTS[event["Action"]]
    failed = [test for test, result in ended.items() if result == FAILED]
    by_parts = {whole for test in failed for whole in _wholes(test)}
    return {
        test: Outcome(PASSED)
        if test in by_parts or result == PASSED
        else Outcome(result, _go_reason(said.get(test, [])))
        for test, result in ended.items()
    }


def _wholes(test: str) -> list[str]:
    """What the test is a part of, the nearest first."""
    parts = test.split("/")
    return ["/".join(parts[:count]) for count in range(len(parts) - 1, 0, -1)]


def _go_reason(lines: Sequence[str]) -> str:
    """Of an assertion only its words, else all but the marks of begin and end."""
    words = " ".join(" ".join(line for line in lines if not GO_MARK.match(line)).split())
    assertion = GO_ASSERTION.search(words)
    return (" ".join(filter(None, assertion.groups())) if assertion else words)[:400]


def from_tap(text: str) -> Outcomes:
    """`ok - NAME`, `not ok - NAME # REASON`, `ok - NAME # SKIP REASON`."""
    outcomes: Outcomes = {}
    for line in text.splitlines():
        name, _, remark = line.partition(" # ")
        if name.startswith("not ok - "):
            add(outcomes, name.removeprefix("not ok - "), Outcome(FAILED, remark))
        elif name.startswith("ok - "):
            skipped = remark.startswith("SKIP")
            outcome = Outcome(SKIPPED if skipped else PASSED, remark.removeprefix("SKIP").strip())
            add(outcomes, name.removeprefix("ok - "), outcome)
    return outcomes


def outcome_of(outcomes: Outcomes, test: str) -> Outcome:
    """Its own, or that it was skipped with the test that it is a part of."""
    if test in outcomes:
        return outcomes[test]
    wholes = (outcomes[whole] for whole in _wholes(test) if whole in outcomes)
    skipped = (outcome for outcome in wholes if outcome.result == SKIPPED)
    return next(skipped, Outcome(FAILED, "not reported"))


def counts(outcomes: Outcomes) -> Counter[str]:
    return Counter(outcome.result for outcome in outcomes.values())
