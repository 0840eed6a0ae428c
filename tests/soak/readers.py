"""Readers: plain, causally consistent over both daemons, and the control at the upstream itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from random import Random

from checks import Checker, Reader
from pymongo.client_session import ClientSession
from pymongo.errors import PyMongoError
from pymongo.read_concern import ReadConcern
from registers import KINDS, LIST_LIMIT, Register, Registers
from writers import DATABASE, Client, Films, Writer, client

TIMEOUT = 5.0  # longer than a daemon is paused: what was asked meanwhile is answered at its waking


class Reads:
    """The kinds of reads, each judged by the checker. A failed read is counted, no more."""

    def __init__(self, checker: Checker, reader: Reader, registers: Registers) -> None:
        self.checker = checker
        self.reader = reader
        self.registers = registers

    def by_id(
        self, films: Films, register: Register, session: ClientSession | None = None
    ) -> int | None:
        def read() -> int | None:
            sent = time.monotonic()
            answer = films.find_one({"_id": register.id}, session=session)
            return self.checker.document(self.reader, register, answer, sent)

        return self._tried("find by _id", read)

    def by_ids(
        self, films: Films, some: list[Register], session: ClientSession | None = None
    ) -> None:
        def read() -> None:
            sent = time.monotonic()
            query = {"_id": {"$in": [register.id for register in some]}}
            answers = list(films.find(query, session=session))
            self.checker.documents(self.reader, some, answers, sent)

        self._tried("find by $in", read)

    def top(self, films: Films, kind: str, session: ClientSession | None = None) -> None:
        def read() -> None:
            sent = time.monotonic()
            found = films.find({"kind": kind}, session=session)
            answers = list(found.sort([("price", 1), ("_id", 1)]).limit(LIST_LIMIT))
            self.checker.top(self.reader, self.registers, kind, answers, sent)

        self._tried("list", read)

    def some(self, films: Films, random: Random, session: ClientSession | None = None) -> None:
        """One question, now and then several times in a row: the first may fill the cache."""
        pick, everything = random.random(), self.registers.all
        one, kind = random.choice(everything), random.choice(KINDS)
        # Few different sets, or none would ever be asked for again.
        start = random.randrange(0, len(everything), 4)
        for _ in range(random.choice([1, 1, 3, 5])):
            if pick < 0.6:
                self.by_id(films, one, session)
            elif pick < 0.8:
                self.by_ids(films, everything[start : start + 3], session)
            else:
                self.top(films, kind, session)

    def _tried(self, kind: str, read: Callable[[], int | None]) -> int | None:
        where = self.reader.daemon
        try:
            result = read()
        except PyMongoError:
            self.checker.report.count(f"reads failed, {where}, {kind}")
            return None
        self.checker.report.count(f"reads checked, {where}, {kind}")
        return result


class PlainReader(threading.Thread):
    """Reads at random through one daemon; or at the upstream, which proves the checks right."""

    def __init__(
        self,
        checker: Checker,
        reader: Reader,
        uri: str,
        registers: Registers,
        level: str,
        random: Random,
        pace: float,
        stop: threading.Event,
    ) -> None:
        super().__init__(name=reader.name, daemon=True)
        self.reads = Reads(checker, reader, registers)
        self.client: Client = client(uri, TIMEOUT)
        database = self.client.get_database(DATABASE, read_concern=ReadConcern(level))
        self.films: Films = database[registers.collection]
        self.random = random
        self.pace = pace
        self.stop = stop

    def run(self) -> None:
        while not self.stop.wait(self.pace):
            self.reads.some(self.films, self.random)


class CausalReader(threading.Thread):
    """One causally consistent session that wanders between the daemons, and writes now and then."""

    def __init__(
        self,
        checker: Checker,
        name: str,
        writer: Writer,
        registers: Registers,
        pace: float,
        stop: threading.Event,
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.writer = writer
        self.registers = registers
        self.pace = pace
        self.stop = stop
        seen: dict[str, int] = {}
        self.reads = {
            daemon: Reads(checker, Reader(name, daemon, causal=True, seen=seen), registers)
            for daemon in ("A", "B")
        }
        self.seen = seen

    def run(self) -> None:
        doors = self.writer.doors
        sessions = {d: doors[d].client.start_session(causal_consistency=True) for d in ("A", "B")}
        try:
            here, there = "A", "B"
            while not self.stop.wait(self.pace):
                try:
                    self._visit(here, sessions[here])
                except PyMongoError:
                    self.writer.report.count("visits of causal sessions broken off")
                if sessions[here].operation_time is not None:
                    sessions[there].advance_cluster_time(sessions[here].cluster_time)
                    sessions[there].advance_operation_time(sessions[here].operation_time)
                here, there = there, here
        finally:
            for session in sessions.values():
                session.end_session()

    def _visit(self, daemon: str, session: ClientSession) -> None:
        random, reads = self.writer.random, self.reads[daemon]
        level = random.choice(["local", "majority"])
        database = self.writer.doors[daemon].client.get_database(
            DATABASE, read_concern=ReadConcern(level)
        )
        films = database[self.registers.collection]
        if self.seen and random.random() < 0.5:  # what this session knows best
            reads.by_id(films, self.registers.by_id[list(self.seen)[-1]], session)
        for _ in range(random.randrange(1, 5)):
            reads.some(films, random, session)
        if random.random() < 0.2:
            register = random.choice(self.registers.all)
            version = self.writer.one(register, daemon, session=session)
            if version:
                self.seen.pop(register.id, None)  # so that it comes last
                self.seen[register.id] = version.number
