"""What became of the tests of one run, by name: `passed`, `failed` or `skipped`, with a reason."""

from __future__ import annotations

import json
from collections import Counter
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


def counts(outcomes: Outcomes) -> Counter[str]:
    return Counter(outcome.result for outcome in outcomes.values())
