"""The faults, each at least once in a run, in an order and at times fixed by the seed."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from random import Random
from typing import Any

from pymongo.errors import OperationFailure, PyMongoError
from report import Fault, Report
from sentinel import start_again
from stack import OPLOG_ENTRIES, Stack
from support.wait import wait_until
from writers import DATABASE, Client, client

HISTORY_LOST = 286  # ChangeStreamHistoryLost
BATCH = 500
ATTEMPTS = 3


class Faults:
    def __init__(self, stack: Stack, report: Report, random: Random, stop: threading.Event) -> None:
        self.stack = stack
        self.report = report
        self.random = random
        self.pause = stop.wait
        self.failed: Counter[str] = Counter()
        redis = stack.redis
        self.all: dict[str, Callable[[], str]] = {
            "Redis killed, back empty": lambda: redis.restart_empty(self.pause),
            "Redis back with an old copy": lambda: redis.go_back(self.pause),
            "Redis stalled": lambda: redis.stall(self.pause),
            "Redis failed over": lambda: redis.fail_over(self.pause),
            "daemon A paused": self._pause_a,
            "daemon B killed": self._kill_b,
            "connections upstream cut": self._cut,
            "the streams lost their history": self._lose_history,
            "upstream killed": self._kill_upstream,
            "primary stepped down": self._step_down,
        }

    def run(self, more: Callable[[], bool]) -> None:
        """All in random order, again and again while `more`; the first round is always finished."""
        rounds = 0
        while not rounds or more():
            rounds += 1
            left = self.random.sample(sorted(self.all), len(self.all))
            while left:
                self.pause(self.random.uniform(2.0, 4.0))
                if rounds > 1 and not more():
                    return
                name = left.pop(0)
                if not self._one(name):
                    self.failed[name] += 1
                    if self.failed[name] > ATTEMPTS:
                        raise RuntimeError(f"cannot bring about: {name}")
                    left.append(name)

    def _one(self, name: str) -> bool:
        """Whether it came about."""
        print(f"  fault: {name} ...", end="", flush=True)
        fault = Fault(name, time.monotonic())
        self.report.faults.append(fault)
        try:
            fault.note = self.all[name]()
        finally:
            fault.end = time.monotonic()
        said = fault.note or "did not come about"
        print(f" {said} ({fault.end - fault.begin:.1f} s)", flush=True)
        return bool(fault.note)

    def _pause_a(self) -> str:
        process = self.stack.daemons["A"].process
        process.signal(signal.SIGSTOP)
        try:
            self.pause(3.0)
        finally:
            process.signal(signal.SIGCONT)
        return "stopped for 3 s"

    def _kill_b(self) -> str:
        daemon = self.stack.daemons["B"]
        daemon.kill()
        self.pause(0.5)
        start_again(daemon)
        return "killed and started again"

    def _cut(self) -> str:
        self.stack.upstream_relay.cut()
        return "reset once"

    def _kill_upstream(self) -> str:
        self.stack.upstream.kill()
        start_again(self.stack.upstream)
        return "killed and started again"

    def _step_down(self) -> str:
        """The same server is primary again after two seconds, or after an election's time."""
        command = {"replSetStepDown": 2, "secondaryCatchUpPeriodSecs": 0, "force": True}
        with client(self.stack.upstream.uri, 10.0) as upstream:
            with suppress(PyMongoError):  # some servers hang up instead of an answer
                upstream.admin.command(command)
            if upstream.admin.command("hello")["isWritablePrimary"]:
                return ""

            def is_primary() -> bool:
                return upstream.admin.command("hello")["isWritablePrimary"]

            wait_until(is_primary, deadline=30, pause=0.05, what="a primary again")
        return "nobody was primary meanwhile"

    def _lose_history(self) -> str:
        """Keeps both from the upstream until the operations log has forgotten where they stood."""
        relay = self.stack.upstream_relay
        with client(self.stack.upstream.uri, 10.0) as upstream:
            films = upstream[DATABASE].filler
            with films.database.client.watch() as stream:
                token = stream.resume_token
            relay.refuse()
            relay.cut()
            written = 0
            try:

                def forgotten() -> bool:
                    nonlocal written
                    films.insert_many([{"n": written + i} for i in range(BATCH)], ordered=False)
                    written += BATCH
                    if written <= OPLOG_ENTRIES:
                        return False
                    return not self.stack.forgets or self._lost(films.database.client, token)

                wait_until(forgotten, deadline=15, pause=0.05)
            except AssertionError:
                return ""  # a transaction that was left open holds the log
            finally:
                relay.accept()
        return f"{written} documents inserted behind it"

    @staticmethod
    def _lost(upstream: Client, token: Mapping[str, Any] | None) -> bool:
        try:
            with upstream.watch(resume_after=token, max_await_time_ms=1) as stream:
                stream.try_next()
        except OperationFailure as error:
            return error.code == HISTORY_LOST
        except PyMongoError:
            return False
        return False
