"""Once all is quiet: everything is as the upstream says, byte for byte."""

from __future__ import annotations

import time
from typing import Any

import pymongo
from bson.raw_bson import RawBSONDocument
from probes import Monitor
from pymongo.collection import Collection
from pymongo.errors import PyMongoError
from registers import KINDS, LIST_LIMIT, Document, Registers
from report import Report
from stack import Stack
from support.wait import wait_until
from writers import DATABASE, client

Answers = dict[str, list[bytes]]


def check(stack: Stack, registers: Registers, report: Report, monitor: Monitor) -> None:
    """To be called a staleness bound after the last write."""
    expected = _answers(stack.uris["behind"], registers)
    for register in registers.all:
        there = expected[register.id]
        content = RawBSONDocument(there[0]) if there else None
        allowed = [version.content for version in register.candidates()]
        if (dict(content) if content is not None else None) not in allowed:
            report.violation(
                {
                    "rule": "the upstream has what nobody wrote last",
                    "register": register.id,
                    "answer": repr(content),
                    "events": list(register.events),
                }
            )
    for daemon in stack.daemons:
        _wait_for_hits(stack, registers, report, monitor, daemon)
        for turn in ("first", "second"):
            for what, have in _answers(stack.uris[daemon], registers).items():
                report.count("answers compared byte for byte at the end")
                if have != expected[what]:
                    report.violation(
                        {
                            "rule": "differs from the upstream at the end",
                            "daemon": daemon,
                            "question": what,
                            "turn": turn,
                            "answer": [dict(RawBSONDocument(raw)) for raw in have],
                            "expected": [dict(RawBSONDocument(raw)) for raw in expected[what]],
                        }
                    )


def _answers(uri: str, registers: Registers) -> Answers:
    raw: pymongo.MongoClient[Any] = client(uri, 10.0, document_class=RawBSONDocument)
    with raw:
        films: Collection[Any] = raw[DATABASE][registers.collection]
        answers = {r.id: [d.raw for d in films.find({"_id": r.id})] for r in registers.all}
        for kind in KINDS:
            found = films.find({"kind": kind}).sort([("price", 1), ("_id", 1)]).limit(LIST_LIMIT)
            answers[kind] = [document.raw for document in found]
    return answers


def _wait_for_hits(
    stack: Stack, registers: Registers, report: Report, monitor: Monitor, daemon: str
) -> None:
    """Until the gate is open: a document asked for again comes from the cache."""
    with client(stack.uris[daemon], 10.0) as cached:
        films: Collection[Document] = cached[DATABASE][registers.collection]

        def hit() -> bool:
            monitor.scrape()
            before = monitor.hits()
            for _ in range(3):
                films.find_one({"_id": registers.all[0].id})
            monitor.scrape()
            return monitor.hits() > before

        began = time.monotonic()
        bypassed = stack.daemons[daemon].metrics()
        try:
            wait_until(hit, deadline=30, what=f"{daemon} to serve hits", ignore=(PyMongoError,))
        except AssertionError as error:
            now = stack.daemons[daemon].metrics()
            why = {
                reason: count - bypassed.value("mongocached_bypass_total", reason=reason)
                for reason, count in now.by("mongocached_bypass_total", "reason").items()
            }
            details = {"rule": "no hits once all is well", "daemon": daemon, "error": str(error)}
            status = stack.daemons[daemon].status()
            report.violation({**details, "bypassed meanwhile": why, "status": status})
        print(f"  {daemon} serves hits after {time.monotonic() - began:.2f} s", flush=True)
