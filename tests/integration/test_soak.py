"""The short soak, and that its checks see what they are there for."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from checks import DIRECT, Checker, Reader
from registers import LIST_LIMIT, Register, Registers
from report import Report
from support.paths import ROOT

BOUND = 0.05


@pytest.mark.timeout(300)
def test_soak(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "soak.json"
    argv = [sys.executable, "-B", ROOT / "tests/soak/soak.py", "--seconds", "60"]
    run = subprocess.run(
        [*argv, "--report", report], capture_output=True, text=True, timeout=280, check=False
    )
    with capsys.disabled():
        print(f"\n{run.stdout.split('--- ')[0] if run.returncode == 0 else ''}")
    assert run.returncode == 0, run.stdout + run.stderr
    found = json.loads(report.read_text())
    assert found["seconds"] >= 60
    assert len({fault["name"] for fault in found["faults"]}) == 10


class History:
    """One register that is at version 3; what the checker says of an answer."""

    def __init__(self) -> None:
        self.registers = Registers("films", 3)
        self.register = self.registers.all[0]
        self.report = Report()
        self.checker = Checker(self.report, BOUND, slack=0.0)
        for register in self.registers.all:
            self.write(register, daemon=None)

    def write(self, register: Register, daemon: str | None, kind: str = "moon") -> None:
        version = register.begin(register.document(kind, register.index), f"update {daemon}")
        register.acknowledge(version, daemon)

    def delete(self) -> None:
        self.register.acknowledge(self.register.begin(None, "delete behind"), None)

    def answer(self, number: int) -> dict[str, Any] | None:
        return self.register.versions[number].content

    def judged(self, reader: Reader, answer: dict[str, Any] | None) -> list[str]:
        self.checker.document(reader, self.register, answer, time.monotonic())
        return [violation["rule"] for violation in self.report.violations]

    def listed(self, numbers: list[int]) -> list[str]:
        documents = [
            register.versions[number].content or {}
            for register, number in zip(self.registers.all, numbers, strict=False)
        ]
        reader = Reader("r", "A")
        self.checker.top(reader, self.registers, "moon", documents, time.monotonic())
        return [violation["rule"] for violation in self.report.violations]

    @staticmethod
    def pass_bound() -> None:
        end = time.monotonic() + BOUND + 0.001
        while time.monotonic() < end:
            time.sleep(0.005)


def test_an_older_answer_is_taken_within_the_bound_and_no_longer() -> None:
    history = History()
    history.write(history.register, daemon="B")
    assert history.judged(Reader("r", "A"), history.answer(1)) == []
    history.pass_bound()
    assert history.judged(Reader("r", "A"), history.answer(2)) == []
    assert history.judged(Reader("r", "A"), history.answer(1)) == ["stale"]


def test_an_older_answer_through_the_daemon_that_wrote() -> None:
    history = History()
    history.write(history.register, daemon="A")
    assert history.judged(Reader("r", "B"), history.answer(1)) == []
    assert history.judged(Reader("r", "A"), history.answer(1)) == ["read your writes"]


def test_an_older_answer_at_the_upstream() -> None:
    history = History()
    history.write(history.register, daemon="A")
    assert history.judged(Reader("r", DIRECT), history.answer(2)) == []
    assert history.judged(Reader("r", DIRECT), history.answer(1)) == [
        "stale at the upstream itself"
    ]


def test_a_causal_session_that_goes_back() -> None:
    history = History()
    history.write(history.register, daemon=None)
    seen: dict[str, int] = {}
    assert history.judged(Reader("r", "A", True, seen), history.answer(2)) == []
    assert history.judged(Reader("r", "B"), history.answer(1)) == []
    assert history.judged(Reader("r", "B", True, seen), history.answer(1)) == ["causal"]


def test_what_was_read_once_counts_though_its_outcome_is_unknown() -> None:
    history = History()
    version = history.register.begin(history.register.document("moon", 5), "update A")
    history.register.in_doubt(version, "timed out", inserts=False)
    history.pass_bound()
    for number in (2, 1):  # either may be there
        assert history.judged(Reader("r", "B"), history.answer(number)) == []
    history.pass_bound()
    assert history.judged(Reader("r", "A"), history.answer(1)) == ["stale"]


def test_an_answer_that_nobody_wrote() -> None:
    history = History()
    content = history.answer(1) or {}
    assert history.judged(Reader("r", "A"), {**content, "v": 2}) == ["never written"]
    assert history.judged(Reader("r", "A"), {**content, "price": 9})[1:] == ["wrong content"]


def test_a_deletion() -> None:
    history = History()
    history.delete()
    assert history.judged(Reader("r", "A"), None) == []
    history.write(history.register, daemon="A")
    assert history.judged(Reader("r", "B"), None) == []
    assert history.judged(Reader("r", "A"), None) == ["read your writes"]
    history.delete()
    seen: dict[str, int] = {}
    assert history.judged(Reader("r", "B", True, seen), None)[1:] == []
    assert seen == {history.register.id: 0}  # it may not have been there yet


def test_lists() -> None:
    history = History()
    assert len(history.registers.all) < LIST_LIMIT
    history.pass_bound()
    assert history.listed([1, 1, 1]) == []
    assert history.listed([1, 1]) == ["missing: stale"]
    history.write(history.registers.all[2], daemon="B", kind="star")
    assert history.listed([1, 1])[1:] == []  # it may have left the list, and may be there yet
    assert history.listed([1, 1, 1])[1:] == []
    history.pass_bound()
    assert history.listed([1, 1, 1])[1:] == ["stale"]
