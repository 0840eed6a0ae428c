"""What `make compat` makes of the events of `go test -json`."""

from __future__ import annotations

import json

import pytest
from support.paths import ROOT

COMPAT = str(ROOT / "tests/compat")


@pytest.fixture(autouse=True)
def compat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(COMPAT)


def told(*events: tuple[str, str] | tuple[str, str, str]) -> str:
    """Action, test and, for the action "output", what was printed."""
    names = ("Action", "Test", "Output")
    return "\n".join(json.dumps(dict(zip(names, event, strict=False))) for event in events)


def test_a_test_fails_by_itself_or_by_its_parts() -> None:
    from outcomes import from_go_events

    found = from_go_events(
        told(
            ("run", "TestA"),
            ("pass", "TestA/one"),
            ("output", "TestA/two/deep", "    a_test.go:1: \n  Error Trace: /a_test.go:1\n"),
            ("output", "TestA/two/deep", "  Error: Not equal\n  Test: TestA/two/deep\n"),
            ("output", "TestA/two/deep", "  Messages: so many\n    a_test.go:2: \n  Error: more\n"),
            ("fail", "TestA/two/deep"),
            ("fail", "TestA/two"),
            ("fail", "TestA"),
            ("output", "TestB", "--- FAIL: TestB\n"),
            ("output", "TestB", "    b_test.go:7: sessions left\n"),
            ("fail", "TestB"),
            ("run", "TestCut"),
        )
    )
    assert {name: one.result for name, one in found.items()} == {
        "TestA/one": "passed",
        "TestA/two/deep": "failed",
        "TestA/two": "passed",
        "TestA": "passed",
        "TestB": "failed",
    }
    assert found["TestA/two/deep"].reason == "Not equal so many"
    assert found["TestB"].reason == "b_test.go:7: sessions left"


def test_parts_of_what_was_skipped_are_skipped_and_no_others() -> None:
    from outcomes import from_go_events, outcome_of

    found = from_go_events(
        told(
            ("output", "TestA", "    a.go:3: needs a mongos\n"),
            ("skip", "TestA"),
            ("pass", "TestB"),
        )
    )
    assert outcome_of(found, "TestA/one/deep").result == "skipped"
    assert outcome_of(found, "TestA/one").reason == "a.go:3: needs a mongos"
    assert outcome_of(found, "TestB/one").result == "failed"
    assert outcome_of(found, "TestC").reason == "not reported"
