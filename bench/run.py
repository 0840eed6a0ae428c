#!/usr/bin/env python3
"""The end-to-end benchmark: what a request costs through mongocached, beside yardsticks.

Starts every server itself, on loopback and free ports, runs the rows in turns (A B C, A B C, ...),
and writes report.md, report.json and charts. What the rows mean stands in bench/README.md.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from types import FrameType

from harness import charts, machine, report, rows
from harness.machine import Cores
from harness.processes import BenchError, ProcessGroup
from harness.report import Summary
from harness.rows import ROWS, Row, Shape
from harness.subjects import Setting, Skip

REPOSITORY = Path(__file__).resolve().parent.parent
BUILD = REPOSITORY / "build" / "release"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--daemon", type=Path, default=BUILD / "daemon" / "mongocached")
    parser.add_argument("--tools", type=Path, default=BUILD / "bench", help="folder of the tools")
    parser.add_argument("--secantus", type=Path, help="secantusd-py, the real upstream")
    parser.add_argument("--out", type=Path, help="folder of the report (default: bench/report)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of one measurement")
    parser.add_argument("--warm-up", type=float, default=0.5, help="seconds before each")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 50])
    parser.add_argument("--rate", type=int, default=10000, help="of the open loop; 0: none")
    parser.add_argument("--rows", nargs="+", choices=[r.name for r in ROWS], help="only these")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a few seconds in all: is the benchmark sound? Says nothing about speed, "
        "and writes no report unless --out is given",
    )
    args = parser.parse_args()
    if args.quick:
        args.rounds, args.seconds, args.warm_up, args.rate = 1, 0.15, 0.05, min(args.rate, 2000)
    return args


def find_secantus(given: Path | None) -> Path | None:
    if given:
        return given
    named = os.environ.get("SECANTUSD") or shutil.which("secantusd-py")
    installed = REPOSITORY / ".deps" / "upstream" / "bin" / "secantusd-py"
    return Path(named) if named else installed if installed.exists() else None


def shapes_of(row: Row, args: argparse.Namespace) -> list[Shape]:
    shapes = [Shape(c) for c in args.connections]
    if args.rate and row.open_loop:
        shapes.append(Shape(max(args.connections), args.rate))
    return shapes


def run_row(row: Row, setting: Setting, args: argparse.Namespace) -> dict[Shape, dict]:
    """One turn of a row: its servers are started afresh and ended after it."""
    folder = Path(tempfile.mkdtemp(prefix=f"{row.name}-", dir=setting.folder))
    with ProcessGroup(folder) as group:
        subject = row.start(group, setting)
        rows.prepare(setting, row, subject)
        return {
            shape: rows.measure(setting, row, subject, shape, args.seconds, args.warm_up)
            for shape in shapes_of(row, args)
        }


def run_all(setting: Setting, args: argparse.Namespace) -> tuple[list[Summary], dict[str, str]]:
    """Medians of every row that could run, and why the others could not."""
    chosen = [r for r in ROWS if not args.rows or r.name in args.rows]
    skipped: dict[str, str] = {}
    results: dict[tuple[str, Shape], list[dict]] = defaultdict(list)
    for turn in range(args.rounds):
        for row in chosen:
            if row.name in skipped:
                continue
            try:
                found = run_row(row, setting, args)
            except Skip as reason:
                skipped[row.name] = str(reason)
                continue
            for shape, result in found.items():
                results[row.name, shape].append(result)
            figures = ", ".join(f"{s.name}: {r['throughput']:,.0f}/s" for s, r in found.items())
            print(f"round {turn + 1}/{args.rounds}  {row.name:11s} {figures}", flush=True)
    summaries = [
        Summary(row, shape, results[row.name, shape])
        for row in chosen
        for shape in shapes_of(row, args)
        if results[row.name, shape]
    ]
    return summaries, skipped


def cross_check(setting: Setting, args: argparse.Namespace) -> dict[int, float]:
    if args.rows and "redis_get" not in args.rows:
        return {}
    found = {}
    for connections in args.connections:
        requests = 2000 if args.quick else 40_000 if connections == 1 else 200_000
        try:
            rate = rows.redis_benchmark(setting, connections, requests)
        except Skip:
            return {}
        if rate:
            found[connections] = rate
    return found


def write_report(
    out: Path, text: str, summaries: list[Summary], data: dict, args: argparse.Namespace
) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("*.svg"):
        old.unlink()
    pictures = []
    shapes = list(dict.fromkeys(s.shape for s in summaries))
    for shape in shapes:
        group = [s for s in summaries if s.shape == shape]
        if shape.rate:
            name, picture = "latency", charts.latency(f"Latency, {shape.name}, open loop", group)
        else:
            name = f"throughput_{shape.connections}"
            picture = charts.throughput(f"Finds by _id a second, {shape.name}", group)
        (out / f"{name}.svg").write_text(picture)
        pictures.append(f"![{name}]({name}.svg)")
    (out / "report.md").write_text(f"# Benchmark\n\n{text}\n\n" + "\n".join(pictures) + "\n")
    (out / "report.json").write_text(json.dumps(data, indent=1) + "\n")
    if not args.quick or args.out:
        print(f"\nwritten: {out / 'report.md'}")


def run(args: argparse.Namespace, folder: Path) -> None:
    cores = Cores()
    setting = Setting(args.tools, args.daemon, find_secantus(args.secantus), cores, folder)
    described = machine.describe(args.daemon)
    print("\n".join(f"{name}: {value}" for name, value in described.items()))
    print(f"{cores}\n", flush=True)
    summaries, skipped = run_all(setting, args)
    if not summaries:
        raise BenchError(f"no row could run: {skipped}")
    check = cross_check(setting, args)
    found = report.ratios(summaries)
    facts = [*(f"- {name}: {value}" for name, value in described.items()), f"- {cores}"]
    facts.append(f"- medians of {args.rounds} rounds of {args.seconds:g} s each, in turns")
    parts = [
        "\n".join(facts),
        report.table(summaries),
        report.ratio_table(found),
        report.cross_check(check, summaries),
        "\n".join(f"- left out: {name}: {why}" for name, why in skipped.items()),
    ]
    text = "\n\n".join(part for part in parts if part)
    print(f"\n{text}")
    data = {
        "machine": described,
        "rows": [s.as_json() for s in summaries],
        "ratios": found,
        "redis_benchmark": check,
        "skipped": skipped,
    }
    out = args.out or (folder if args.quick else REPOSITORY / "bench" / "report")
    write_report(out, text, summaries, data, args)


def stop(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def main() -> int:
    args = parse_arguments()
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)
    with tempfile.TemporaryDirectory(prefix="mongocached-bench-") as folder:
        try:
            run(args, Path(folder))
        except BenchError as error:
            print(f"\nbenchmark failed: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("\nstopped", file=sys.stderr)
            return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
