"""What `make compat` makes of `go test -json`, of the wire, and of deployments."""

from __future__ import annotations

import json
import struct

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


def framed(body: bytes, opcode: int = 2013) -> bytes:
    return struct.pack("<iiii", 16 + len(body), 1, 0, opcode) + body


def test_messages_are_told_apart_however_they_are_cut() -> None:
    from wire_tap import Frames

    packed = [framed(struct.pack("<iiB", 2013, 9, code) + b"x" * 9, 2012) for code in (1, 2, 3)]
    stream = b"".join([framed(b""), packed[0], framed(b"plain"), *packed[1:], framed(b"", 2012)])
    wanted = ["", "snappy", "", "zlib", "zstd"]
    for size in (1, 7, 16, len(stream)):
        frames = Frames()
        pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
        assert [name for piece in pieces for name in frames.feed(piece)] == wanted


def test_compression_has_to_be_the_one_asked_for_both_ways() -> None:
    from deployments import compression_outcome

    good = {"request": {"zlib"}, "reply": {"zlib"}}
    assert compression_outcome(good, "zlib").result == "passed"
    assert compression_outcome(good | {"reply": set()}, "zlib").reason == "reply: plain"
    mixed = compression_outcome(good | {"request": {"zlib", "zstd"}}, "zlib")
    assert (mixed.result, mixed.reason) == ("failed", "request: ['zlib', 'zstd']")


def test_the_table_of_deployments_counts_what_passes_straight() -> None:
    from deployments import Deployed, deployments
    from outcomes import Outcome
    from page import render
    from programs import Compared, programs

    passed, failed = Outcome("passed"), Outcome("failed", "lost")
    straight = {"program": passed, "crud": passed, "bulk": passed, "gridfs": failed}
    through = straight | {"bulk": failed, "gridfs": passed}
    one, other = programs()[:2]
    compared = [Compared(one, straight, through), Compared(other, skipped="too old")]
    told = render([], [], [Deployed(deployments()[0], compared)])
    assert f"| {one.name} | 1 of 2 |" in told
    assert f"| {other.name} | not run: too old |" in told
    assert f"- {one.name}, users: bulk fails through: lost" in told


def test_programs_behind_one_that_ran_out_of_time_get_servers_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import deployments
    from outcomes import Outcome
    from programs import OUT_OF_TIME, Compared, programs
    from stack import Side, mongos_at

    asked: list[int] = []

    def through(_servers: object) -> Side:
        asked.append(len(asked))
        return mongos_at(asked[-1])

    def run(_program: object, side: Side) -> dict[str, Outcome]:
        ended = Outcome("failed", OUT_OF_TIME) if side.port == 0 else Outcome("passed")
        return {"crud": Outcome("passed"), "program": ended}

    monkeypatch.setattr(deployments, "run", run)
    monkeypatch.setattr(
        deployments, "deployments", lambda: [deployments.Deployment("one", "", through)]
    )
    fine = {"crud": Outcome("passed"), "program": Outcome("passed")}
    plain = [Compared(program, fine, fine) for program in programs()[:3]]
    (deployed,) = deployments.deploy(plain, [])
    assert [bool(one.broken()) for one in deployed.compared] == [True, False, False]
    assert asked == [0, 1]
