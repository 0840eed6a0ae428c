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
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from types import FrameType, ModuleType

from harness import charts, cost, far, idle, machine, measure, micro, report, scale, targets
from harness.machine import Cores
from harness.processes import BenchError, OtherOutcome, ProcessGroup
from harness.report import Summary
from harness.rows import ROWS, Row, Shape
from harness.subjects import REPOSITORY, Setting, Skip

BUILD = REPOSITORY / "build" / "release"
ATTEMPTS = 3  # at a row that measured something else
# What is measured besides rows: each has TITLE, run(setting, quick) and text(found), and
# pictures(found) where it has charts.
SECTIONS: dict[str, ModuleType] = {
    "cost": cost,
    "idle": idle,
    "far": far,
    "micro": micro,
    "scale": scale,
}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--daemon", type=Path, default=BUILD / "daemon" / "mongocached")
    parser.add_argument("--tools", type=Path, default=BUILD / "bench", help="folder of the tools")
    parser.add_argument("--secantus", type=Path, help="secantusd-py, the real upstream")
    parser.add_argument("--out", type=Path, help="folder of the report (default: bench/report)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of one measurement")
    parser.add_argument("--warm-up", type=float, default=0.3, help="seconds before each")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 50])
    many = {
        "type": int,
        "nargs": "*",
        "default": [1000, 10_000],
        "metavar": "CONNECTIONS",
    }
    parser.add_argument("--many", **many, help="of the bare echo and hits in memory besides")
    parser.add_argument("--rate", type=int, default=10000, help="of the open loop; 0: none")
    values = {"type": int, "default": 100_000, "metavar": "COUNT"}
    parser.add_argument("--redis-values", **values, help="of 10 kB, in the section scale")
    names = [row.name for row in ROWS]
    parser.add_argument("--rows", nargs="+", choices=names, help="only these rows and sections")
    parser.add_argument("--sections", nargs="+", choices=[*SECTIONS], help="likewise")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="a few seconds in all: is the benchmark sound? Says nothing about speed, "
        "and writes no report unless --out is given",
    )
    args = parser.parse_args()
    if args.quick:
        args.rounds, args.seconds, args.warm_up, args.rate = (
            1,
            0.1,
            0.02,
            min(args.rate, 2000),
        )
        args.many = [min(c, 1000) for c in args.many]
    if args.rows is args.sections is None:
        args.rows, args.sections = names, list(SECTIONS)
    args.rows, args.sections = args.rows or [], args.sections or []
    return args


def find_secantus(given: Path | None) -> Path | None:
    if given:
        return given
    named = os.environ.get("SECANTUSD") or shutil.which("secantusd-py")
    installed = REPOSITORY / ".deps" / "upstream" / "bin" / "secantusd-py"
    return Path(named) if named else installed if installed.exists() else None


def shapes_of(row: Row, args: argparse.Namespace, descriptors: int) -> list[Shape]:
    shapes = [Shape(c) for c in row.connections or args.connections]
    if args.rate and row.open_loop:
        shapes.append(Shape(max(args.connections), args.rate))
    if row.many:
        most = machine.most_clients(descriptors)
        shapes += [Shape(c) for c in dict.fromkeys(min(c, most) for c in args.many)]
    return shapes


def setting_of(row: Row, setting: Setting) -> Setting:
    cores = Cores.for_threads(row.threads) if row.threads else setting.cores
    if not cores:
        raise Skip(f"it needs {row.threads} cores")
    return replace(setting, cores=cores, reply_size=row.reply_size)


def run_row(row: Row, setting: Setting, args: argparse.Namespace) -> dict[Shape, dict]:
    """One turn of a row: its servers are started afresh and ended after it."""
    folder = Path(tempfile.mkdtemp(prefix=f"{row.name}-", dir=setting.folder))
    setting = setting_of(row, setting)
    with ProcessGroup(folder) as group:
        subject = row.start(group, setting)
        measure.prepare(setting, row, subject)
        return {
            shape: measure.measure(setting, row, subject, shape, args.seconds, args.warm_up)
            for shape in shapes_of(row, args, setting.descriptors)
        }


def run_patiently(row: Row, setting: Setting, args: argparse.Namespace) -> dict[Shape, dict]:
    """A busy machine closes the daemon's gate now and then; a broken row fails every time."""
    for _ in range(ATTEMPTS - 1):
        try:
            return run_row(row, setting, args)
        except OtherOutcome as error:
            print(f"once more: {error}", flush=True)
    return run_row(row, setting, args)


def run_all(setting: Setting, args: argparse.Namespace) -> tuple[list[Summary], dict[str, str]]:
    """Medians of every row that could run, and why the others could not."""
    chosen = [r for r in ROWS if r.name in args.rows]
    skipped: dict[str, str] = {}
    results: dict[tuple[str, Shape], list[dict]] = defaultdict(list)
    for turn in range(args.rounds):
        for row in chosen:
            if row.name in skipped:
                continue
            try:
                found = run_patiently(row, setting, args)
            except Skip as reason:
                skipped[row.name] = str(reason)
                continue
            for shape, result in found.items():
                results[row.name, shape].append(result)
            figures = ", ".join(f"{s.name}: {r['throughput']:,.0f}/s" for s, r in found.items())
            print(f"round {turn + 1}/{args.rounds}  {row.name:15s} {figures}", flush=True)
    summaries = [
        Summary(row, shape, results[row.name, shape])
        for row in chosen
        for shape in shapes_of(row, args, setting.descriptors)
        if results[row.name, shape]
    ]
    return summaries, skipped


def cross_check(setting: Setting, args: argparse.Namespace) -> dict[int, float]:
    if "redis_get" not in args.rows:
        return {}
    found = {}
    for connections in args.connections:
        requests = 2000 if args.quick else 40_000 if connections == 1 else 200_000
        try:
            rate = measure.redis_benchmark(setting, connections, requests)
        except Skip:
            return {}
        if rate:
            found[connections] = rate
    return found


def run_sections(
    setting: Setting, args: argparse.Namespace, skipped: dict[str, str]
) -> dict[str, dict]:
    found = {}
    for name in args.sections:
        started = time.monotonic()
        try:
            found[name] = SECTIONS[name].run(setting, args.quick)
        except Skip as reason:
            skipped[name] = str(reason)
        took = time.monotonic() - started
        print(f"section {name}: {skipped.get(name, 'done')}, {took:.0f} s", flush=True)
    return found


def describe(
    setting: Setting,
    args: argparse.Namespace,
    described: dict[str, str],
    skipped: dict[str, str],
) -> str:
    facts = [
        *(f"- {name}: {value}" for name, value in described.items()),
        f"- {setting.cores}",
    ]
    pair = Cores.for_threads(2)
    if pair and pair.are_shared:
        facts.append("- in the rows of one and two threads, load has the same cores as the server")
    if args.rows:
        facts.append(f"- medians of {args.rounds} rounds of {args.seconds:g} s each, in turns")
    facts += [f"- left out: {name}: {why}" for name, why in skipped.items()]
    return "\n".join(facts)


def compose(
    facts: str,
    summaries: list[Summary],
    check: dict[int, float],
    sections: dict,
    earlier: dict,
) -> str:
    parts = [facts]
    if found := targets.targets(summaries, sections):
        parts += ["## Targets", targets.table(found)]
    if summaries:
        parts += ["## Rows", report.table(summaries)]
        parts += ["## Ratios", report.ratio_table(report.ratios(summaries))]
        parts.append(report.cross_check(check, summaries))
    for name, data in sections.items():
        module = SECTIONS[name]
        shown = cost.text(data, earlier.get("cost")) if module is cost else module.text(data)
        parts += [f"## {module.TITLE}", shown]
    return "\n\n".join(part for part in parts if part)


def earlier_sections(out: Path) -> dict:
    """Of the report that this run replaces."""
    file = out / "report.json"
    return json.loads(file.read_text()).get("sections", {}) if file.exists() else {}


def run(args: argparse.Namespace, folder: Path) -> None:
    cores, descriptors = Cores.apart(), machine.raise_descriptor_limit(30_000)
    secantus = find_secantus(args.secantus)
    setting = Setting(args.tools, args.daemon, secantus, cores, folder, descriptors)
    setting.redis_values = args.redis_values
    described = machine.describe(args.daemon)
    print("\n".join(f"{name}: {value}" for name, value in described.items()))
    print(f"{cores}\n", flush=True)
    summaries, skipped = run_all(setting, args)
    check = cross_check(setting, args)
    sections = run_sections(setting, args, skipped)
    if not summaries and not sections:
        raise BenchError(f"nothing could be measured: {skipped}")
    out = args.out or (folder if args.quick else REPOSITORY / "bench" / "report")
    facts = describe(setting, args, described, skipped)
    text = compose(facts, summaries, check, sections, earlier_sections(out))
    print(f"\n{text}")
    data = {
        "machine": described,
        "targets": [t.as_json() for t in targets.targets(summaries, sections)],
        "rows": [s.as_json() for s in summaries],
        "ratios": report.ratios(summaries),
        "redis_benchmark": check,
        "sections": sections,
        "skipped": skipped,
    }
    pictures = charts.of(summaries)
    for name, found in sections.items():
        if draw := getattr(SECTIONS[name], "pictures", None):
            pictures |= draw(found)
    write_report(out, text, pictures, data)
    if not args.quick or args.out:
        print(f"\nwritten: {out / 'report.md'}")


def write_report(out: Path, text: str, pictures: dict[str, str], data: dict) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("*.svg"):
        old.unlink()
    for name, picture in pictures.items():
        (out / f"{name}.svg").write_text(picture)
    shown = "\n".join(f"![{name}]({name}.svg)" for name in pictures)
    (out / "report.md").write_text(f"# Benchmark\n\n{text}\n\n{shown}\n")
    (out / "report.json").write_text(json.dumps(data, indent=1) + "\n")


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
