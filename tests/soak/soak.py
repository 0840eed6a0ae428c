#!/usr/bin/env python3
"""Two daemons, every kind of write and every fault at once: no answer may break the contract.

    .deps/client/bin/python tests/soak/soak.py --seconds 600 --seed 7 --report soak.json

Exit status: 0 none did, 1 some did (all are printed), 2 the run itself failed or proved too little.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from random import Random

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]

import final  # noqa: E402
from checks import DIRECT, Checker, Reader  # noqa: E402
from faults import Faults  # noqa: E402
from probes import Monitor, Prober  # noqa: E402
from readers import CausalReader, PlainReader, Reads  # noqa: E402
from registers import Registers  # noqa: E402
from report import Report  # noqa: E402
from stack import Stack  # noqa: E402
from support.servers import Servers  # noqa: E402
from writers import Door, Writer, WritingThread  # noqa: E402

REGISTERS = 48
WRITERS = 3
WRITE_PACE = 0.03  # seconds between a writer's writes, on average
READ_PACE = 0.005


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="at least; default 60")
    parser.add_argument("--seed", type=int, default=None, help="default: from the clock")
    parser.add_argument("--report", type=Path, help="also as JSON, into this file")
    parser.add_argument("--mode", choices=["bounded", "ttl"], default="bounded")
    parser.add_argument(
        "--bound", type=float, default=1.0, help="seconds: max_lag, or ttl in mode ttl"
    )
    parser.add_argument(
        "--slack", type=float, default=0.1, help="seconds beyond the bound that are forgiven"
    )
    parser.add_argument(
        "--told", type=float, help="seconds that the daemons get for the bound: do the checks bite?"
    )
    parser.add_argument("--min-hits", type=int, default=20_000, help="fewer prove too little")
    parser.add_argument(
        "--probes-only",
        action="store_true",
        help="the two probes alone: staleness on a quiet machine",
    )
    options = parser.parse_args()
    if options.probes_only:
        options.min_hits = 0
    return options


class Soak:
    def __init__(self, options: argparse.Namespace, stack: Stack, report: Report) -> None:
        self.stack = stack
        self.report = report
        self.random = Random(options.seed)
        self.stop_writing = threading.Event()
        self.stop_reading = threading.Event()
        self.registers = Registers("registers", REGISTERS)
        self.checker = Checker(report, options.bound, options.slack)
        self.monitor = Monitor(stack.daemons, self.stop_reading)
        self.faults = Faults(stack, report, self._random(), self.stop_reading)
        self.probes_only: bool = options.probes_only
        self.writing = self._probers()
        self.reading: list[threading.Thread] = [self.monitor]
        if not self.probes_only:
            self.writing += [*self._writers(), *self._causal_readers()]
            self.reading += self._readers()

    def _random(self) -> Random:
        return Random(self.random.getrandbits(64))

    def _writer(self) -> Writer:
        doors = {path: Door(uri, path) for path, uri in self.stack.uris.items()}
        return Writer(self.report, self._random(), doors)

    def _writers(self) -> list[threading.Thread]:
        return [
            WritingThread(self._writer(), self.registers, WRITE_PACE, self.stop_writing)
            for _ in range(WRITERS)
        ]

    def _probers(self) -> list[threading.Thread]:
        probes = Registers("probes", 2)
        reads = Reads(self.checker, Reader("probe", "A"), probes)
        return [
            Prober(reads, register, self._writer(), path, self.stop_writing)
            for register, path in zip(probes.all, ("behind", "B"), strict=True)
        ]

    def _causal_readers(self) -> list[threading.Thread]:
        return [
            CausalReader(
                *(self.checker, f"causal {i}", self._writer(), self.registers),
                *(READ_PACE, self.stop_writing),
            )
            for i in range(2)
        ]

    def _readers(self) -> list[threading.Thread]:
        readers: list[threading.Thread] = []
        for daemon in ("A", "B"):
            for level in ("local", "local", "majority"):
                reader = Reader(f"{level} {len(readers)} at {daemon}", daemon)
                uri = self.stack.uris[daemon]
                readers.append(self._reader(reader, uri, level, READ_PACE))
        control = Reader("control", DIRECT)
        return [*readers, self._reader(control, self.stack.uris["behind"], "local", 0.02)]

    def _reader(self, reader: Reader, uri: str, level: str, pace: float) -> PlainReader:
        return PlainReader(
            *(self.checker, reader, uri, self.registers, level),
            *(self._random(), pace, self.stop_reading),
        )

    def run(self, seconds: float, bound: float, min_hits: int) -> None:
        """For that long, on a busy machine up to three times that for the hits."""
        began = time.monotonic()

        def more() -> bool:
            ran = time.monotonic() - began
            return ran < seconds or (ran < 3 * seconds and self.monitor.hits() < min_hits)

        writer = self._writer()
        for register in self.registers.all:
            writer.one(register, "behind")
        threads = [*self.writing, *self.reading]
        for thread in threads:
            thread.start()
        try:
            if self.probes_only:
                self.stop_reading.wait(seconds)
            else:
                self.faults.run(more)
            self.stop_reading.wait(3.0)  # so that the last fault's end is measured
            died = [thread.name for thread in threads if not thread.is_alive()]
        finally:
            self.stop_writing.set()
            join(self.writing)
            self.stop_reading.wait(bound + 0.5)
            self.stop_reading.set()
            join(self.reading)
        if died:
            raise RuntimeError(f"threads of the harness died: {died}")
        hits = self.monitor.hits()  # what comes now is no longer judged by the history
        final.check(self.stack, self.registers, self.report, self.monitor)
        self.report.count("hits among the checked reads", int(hits))


def join(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(30)
        if thread.is_alive():
            raise RuntimeError(f"{thread.name} does not end")


def finish(options: argparse.Namespace, soak: Soak, seconds: float) -> int:
    report, rows = soak.report, soak.monitor.resumption(soak.report)
    print(report.text())
    print("\nseconds from a fault's end until hits came at a quarter of the rate before it")
    for row in rows:
        shown = [f"{n} {'-' if row[n] is None else f'{row[n]:.2f}':>6}" for n in ("A", "B")]
        print(f"  {row['fault']:<32} lasted {row['lasted']:5.1f}   {'   '.join(shown)}")
    outcomes, counters = soak.monitor.outcomes(), soak.monitor.own_counters()
    for name, counts in outcomes.items():
        print(f"{name}'s requests: {counts}")
        for metric, values in counters[name].items():
            print(f"  {metric}: {values}")
    hits = report.counts["hits among the checked reads"]
    print(f"\n{hits} hits checked in {seconds:.0f} s, seed {options.seed}, slack {options.slack} s")
    if options.report:
        run = {"seed": options.seed, "seconds": seconds, "mode": options.mode}
        data = {
            **run,
            **report.data(),
            "resumption_s": rows,
            "requests": outcomes,
            "daemons": counters,
        }
        options.report.write_text(json.dumps(data, indent=1, default=str))
    if report.violations:
        print(f"FAILED: {len(report.violations)} violations; replay with --seed {options.seed}")
        return 1
    if hits < options.min_hits:
        print(f"FAILED: fewer than {options.min_hits} hits")
        return 2
    shared = any(counts.get("redis_hit") for counts in outcomes.values())
    if not shared and not options.probes_only:
        print("FAILED: no hit came from Redis: the daemons do not share it")
        return 2
    print("passed: no violation")
    return 0


def main() -> int:
    options = parse_arguments()
    if options.seed is None:
        options.seed = int(time.time()) % 1_000_000
    sys.setswitchinterval(0.001)  # many threads that wait: let each have its answer soon
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    print(f"soak: seed {options.seed}, mode {options.mode}, bound {options.bound} s", flush=True)
    began = time.monotonic()
    with Servers() as servers:
        try:
            soak = Soak(
                options, Stack(servers, options.mode, options.told or options.bound), Report()
            )
            soak.run(options.seconds, options.bound, options.min_hits)
            status = finish(options, soak, time.monotonic() - began)
        except Exception:
            traceback.print_exc()
            print(f"FAILED: the run itself broke, seed {options.seed}")
            status = 2
        if status:
            for name, tail in servers.log_tails():
                print(f"\n{name}\n{tail}")
    return status


if __name__ == "__main__":
    sys.exit(main())
