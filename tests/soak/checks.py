"""What an answer may be, judged against the registers' history.

Times are taken so that no delay of the harness can raise a false alarm: a write counts from when
its acknowledgement was read, a read from before it was sent.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from registers import LIST_LIMIT, Document, Register, Registers
from report import Report

DIRECT = "upstream"


@dataclass
class Reader:
    """Who reads: one thread's view."""

    name: str
    daemon: str
    """`A`, `B` or `upstream`: the control, which must never be stale at all."""
    causal: bool = False
    seen: dict[str, int] = field(default_factory=dict)
    """What a causally consistent session knows already, over both daemons."""


@dataclass(frozen=True)
class Floor:
    number: int
    rule: str


class Checker:
    def __init__(self, report: Report, bound: float, slack: float) -> None:
        self.report = report
        self.bound = bound
        self.slack = slack

    def document(
        self, reader: Reader, register: Register, answer: Document | None, sent: float
    ) -> int | None:
        """Judges one document; the version that it is, None after a violation of its content."""
        received = time.monotonic()
        number = self._version(reader, register, answer, sent, received)
        if number is None:
            return None
        floor = self._floor(reader, register, sent)
        if number < floor.number:
            have = f"{'absent' if answer is None else 'v'} {number}, must be >= {floor.number}"
            self._violation(floor.rule, reader, register, have, sent, received)
        self._age(reader, register, number, sent)
        if reader.causal:
            sure = number
            if answer is None:  # which deletion it was cannot be told: the oldest that it may be
                sure = register.oldest_deletion(floor.number, received)
            reader.seen[register.id] = max(sure, reader.seen.get(register.id, 0))
        return number

    def documents(
        self, reader: Reader, asked: Sequence[Register], answers: list[Document], sent: float
    ) -> None:
        """Judges the answer to `$in`."""
        found = {answer["_id"]: answer for answer in answers}
        if len(found) != len(answers) or not found.keys() <= {register.id for register in asked}:
            self._violation("wrong documents", reader, asked[0], repr(answers), sent, sent)
        for register in asked:
            self.document(reader, register, found.get(register.id), sent)

    def top(
        self, reader: Reader, registers: Registers, kind: str, answers: list[Document], sent: float
    ) -> None:
        """Judges a list: its members as documents, then its order, and whether one is missing."""
        received = time.monotonic()
        keys = [(answer["price"], answer["_id"]) for answer in answers]
        ids = {answer["_id"] for answer in answers}
        wrong = keys != sorted(keys) or len(ids) != len(keys) or len(keys) > LIST_LIMIT
        if wrong or any(answer["kind"] != kind for answer in answers):
            self._violation("wrong list", reader, registers.all[0], repr(answers), sent, received)
            return
        last = keys[-1] if len(keys) == LIST_LIMIT else None
        for register in registers.all:
            if register.id not in ids and (
                must := self._belongs(reader, register, kind, last, sent, received)
            ):
                have = f"not in the list of {kind} that ends with {last}: {sorted(ids)}"
                self._violation(f"missing: {must}", reader, register, have, sent, received)
        for answer in answers:
            if (register := registers.by_id.get(answer["_id"])) is None:
                self._violation(
                    "never written", reader, registers.all[0], repr(answer), sent, received
                )
            else:
                self.document(reader, register, answer, sent)

    def _belongs(
        self,
        reader: Reader,
        register: Register,
        kind: str,
        last: tuple[int, str] | None,
        sent: float,
        received: float,
    ) -> str:
        """The rule by which it belongs into the list: each version that may be seen would."""
        floor = self._floor(reader, register, sent)
        for version in register.versions[floor.number : register.newest_sent(received) + 1]:
            content = version.content
            if content is None or content["kind"] != kind:
                return ""
            if last and (content["price"], register.id) > last:
                return ""
        return floor.rule

    def _version(
        self,
        reader: Reader,
        register: Register,
        answer: Document | None,
        sent: float,
        received: float,
    ) -> int | None:
        if answer is None:
            return register.newest_deletion(received)
        number = answer.get("v")
        if not isinstance(number, int) or not 0 < number <= register.newest_sent(received):
            self._violation("never written", reader, register, repr(answer), sent, received)
            return None
        if answer != register.versions[number].content:
            have = f"{answer!r}, written was {register.versions[number].content!r}"
            self._violation("wrong content", reader, register, have, sent, received)
            return None
        register.seen(number, reader.daemon)
        return number

    def _floor(self, reader: Reader, register: Register, sent: float) -> Floor:
        """The oldest version that may be answered, and the rule that says so."""
        if reader.daemon == DIRECT:
            return Floor(register.known.before(sent), "stale at the upstream itself")
        floors = [
            Floor(register.known.before(sent - self.bound - self.slack), "stale"),
            Floor(register.by_daemon[reader.daemon].before(sent), "read your writes"),
        ]
        if reader.causal:
            floors.append(Floor(reader.seen.get(register.id, 0), "causal"))
        return max(floors, key=lambda floor: floor.number)

    def _age(self, reader: Reader, register: Register, number: int, sent: float) -> None:
        if (newer := register.known.replaced(number)) and (age := sent - newer[0]) > 0:
            path = register.versions[newer[1]].path.split()[-1]
            self.report.answer_age(reader.daemon, path, age, age > self.bound)

    def _violation(
        self,
        rule: str,
        reader: Reader,
        register: Register,
        have: str,
        sent: float,
        received: float,
    ) -> None:
        number = register.known.before(received)
        self.report.violation(
            {
                "rule": rule,
                "daemon": reader.daemon,
                "reader": reader.name,
                "register": register.id,
                "answer": have,
                "newest known": f"v{number}, {register.versions[number].path}",
                "sent": sent,
                "received": received,
                "newest through this daemon": {
                    name: known.before(sent) for name, known in register.by_daemon.items()
                },
                "seen by the session": reader.seen.get(register.id),
                "events": list(register.events),
            }
        )
