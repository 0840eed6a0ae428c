#!/usr/bin/env python3
"""What would pay, and what would not: other system calls, allocators, pages and builds, each
measured in turns with the way it is done now. docs/performance.md says what was found.

Every figure of a round is divided by that of the group's first variant in the same round; the
first is there twice, and what lies between the two is noise.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from harness import cost, machine, measure, memory, variants
from harness.machine import Cores
from harness.processes import BenchError, OtherOutcome, ProcessGroup
from harness.rows import BY_NAME, Row, Shape
from harness.subjects import REPOSITORY, Setting, Skip
from harness.variants import AGAIN, Group, Variant

BUILD = REPOSITORY / "build" / "release"
ATTEMPTS = 3
COUNTED = ("memory_hit", "redis_hit", "relay", "miss")
FIGURES = {"throughput": "requests/s", "server_cpu_us": "CPU us/request", "p50": "p50 us"}


def parse_arguments() -> argparse.Namespace:
    names = [*variants.groups(Path()), "memory", "counted"]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(names)}")
    parser.add_argument("--daemon", type=Path, default=BUILD / "daemon" / "mongocached")
    parser.add_argument("--tools", type=Path, default=BUILD / "bench", help="folder of the tools")
    parser.add_argument(
        "--builds", type=Path, default=REPOSITORY / "build", help="folder of the other builds"
    )
    parser.add_argument("--variants", nargs="+", help="only these, besides the first")
    parser.add_argument("--rows", nargs="+", help="only these rows")
    parser.add_argument("--connections", type=int, nargs="+", help="instead of the group's")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of one measurement")
    parser.add_argument("--warm-up", type=float, default=0.3, help="seconds before each")
    parser.add_argument("--out", type=Path, help="JSON file of all figures")
    args = parser.parse_args()
    if unknown := [name for name in args.groups if name not in names]:
        parser.error(f"no such group: {', '.join(unknown)}")
    args.groups = args.groups or names
    return args


class Turns:
    """Measurements in turns, round by round; a variant that this machine cannot do is left out."""

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds
        self.skipped: dict[str, str] = {}

    def can(self, variant: Variant) -> bool:
        if variant.name not in self.skipped and (why := variant.needs()):
            self.skip(variant, why)
        return variant.name not in self.skipped

    def skip(self, variant: Variant, why: str) -> None:
        self.skipped[variant.name] = why
        print(f"left out: {variant.name}: {why}", flush=True)

    def patiently(self, variant: Variant, once: Callable[[], dict]) -> dict | None:
        """What `once` returns; a busy machine closes the daemon's gate now and then."""
        for attempt in range(ATTEMPTS):
            try:
                return once()
            except Skip as reason:
                self.skip(variant, str(reason))
                return None
            except OtherOutcome as error:
                last = attempt + 1 == ATTEMPTS
                print(f"{'left out of this round' if last else 'once more'}: {error}", flush=True)
        return None


def measure_row(
    row: Row, variant: Variant, setting: Setting, group: Group, args: argparse.Namespace
) -> dict:
    """Each shape's figures by name, of servers that are started afresh."""
    setting = replace(variant.apply(setting), reply_size=row.reply_size)
    folder = Path(tempfile.mkdtemp(prefix=f"{row.name}-", dir=setting.folder))
    with ProcessGroup(folder) as processes:
        subject = (variant.start or row.start)(processes, setting)
        measure.prepare(setting, row, subject)
        found = {}
        shapes = [Shape(c) for c in args.connections] if args.connections else group.shapes
        for shape in shapes:
            one = measure.measure(setting, row, subject, shape, args.seconds, args.warm_up)
            found[shape] = one | {"p50": one["latency_us"]["p50"]}
        subject.server.end()
        said = [s for s in subject.server.output().splitlines() if s.startswith("zerocopy: ")]
        for line in said:
            print(f"  {variant.name}: {line}", flush=True)
        return found


def run_group(group: Group, setting: Setting, args: argparse.Namespace, turns: Turns) -> dict:
    """Figures of each round, by its number, by row, shape and variant."""
    rows = [r for r in group.rows if not args.rows or r.name in args.rows]
    results: dict = defaultdict(dict)
    for turn in range(turns.rounds):
        for row in rows:
            for variant in chosen(group.variants, args):
                if not turns.can(variant):
                    continue
                once = lambda r=row, v=variant: measure_row(r, v, setting, group, args)  # noqa: E731
                for shape, figures in (turns.patiently(variant, once) or {}).items():
                    results[row.name, shape, variant.name][turn] = figures
        print(f"{group.text}: round {turn + 1}/{turns.rounds}", flush=True)
    return results


def chosen(all_of_them: list[Variant], args: argparse.Namespace) -> list[Variant]:
    first = all_of_them[0].name
    kept = {first, AGAIN, *(args.variants or [v.name for v in all_of_them])}
    return [v for v in all_of_them if v.name in kept]


def ratios(base: dict[int, dict], other: dict[int, dict], figure: str) -> list[float]:
    """Of the rounds that have both."""
    return [other[turn][figure] / base[turn][figure] for turn in other if turn in base]


def shown(found: list[float]) -> str:
    if not found:
        return ""
    return f"{statistics.median(found):.2f} ({min(found):.2f}-{max(found):.2f})"


def table(group: Group, results: dict) -> str:
    lines = [
        "| row | load | variant | " + " | ".join(f"{text}, ratio" for text in FIGURES.values()),
        "|---|---|---|" + "--:|" * len(FIGURES),
    ]
    lines[0] += " |"
    first = group.variants[0].name
    texts = {row.name: row.text for row in group.rows}
    for (row, shape, name), rounds in results.items():
        base = results.get((row, shape, first), {})
        cells = [texts[row], shape.name, name]
        for figure in FIGURES:
            if name == first:
                median = statistics.median(r[figure] for r in rounds.values())
                cells.append(f"= {median:,.0f}" if median >= 100 else f"= {median:.1f}")
            else:
                cells.append(shown(ratios(base, rounds, figure)))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def memory_variants() -> list[Variant]:
    return [v for v in variants.ALLOCATORS if v.name != AGAIN]


def run_memory(setting: Setting, args: argparse.Namespace, turns: Turns) -> tuple[str, dict]:
    results: dict = defaultdict(list)
    for _ in range(turns.rounds):
        for variant in chosen(memory_variants(), args):
            if turns.can(variant):
                found = memory.measured(variant.apply(setting))
                results[variant.name].append(found)
                text = {name: round(value, 2) for name, value in found.items()}
                print(f"memory: {variant.name}: {text}", flush=True)
    lines = [
        "| allocator | after a fill, of the budget | left by cold clients, MB | 10 s later |",
        "|---|--:|--:|--:|",
    ]
    for name, rounds in results.items():
        of = {k: statistics.median(r[k] for r in rounds) for k in rounds[0]}
        cells = f"{of['fill']:.2f} | {of['left'] / 1e6:.0f} | {of['calm'] / 1e6:.0f}"
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines), dict(results)


def run_counted(setting: Setting, args: argparse.Namespace, turns: Turns) -> tuple[str, dict]:
    """Instructions a request of each build: counted, so that no noise is in them."""
    builds = [v for v in variants.groups(args.builds)["builds"].variants if v.name != AGAIN]
    rows = [r for r in COUNTED if not args.rows or r in args.rows]
    found: dict = {}
    for variant in builds:
        if not turns.can(variant):
            continue
        for name in rows:
            folder = Path(tempfile.mkdtemp(prefix=f"counted-{name}-", dir=setting.folder))
            row = cost.with_few_documents(BY_NAME[name])
            there = replace(variant.apply(setting), folder=folder)
            counted = turns.patiently(
                variant, lambda s=there, r=row: cost.under_callgrind(s, r, repeats=3)
            )
            if counted:
                found.setdefault(variant.name, {})[name] = counted["instructions"]
        print(f"counted: {variant.name}: {found.get(variant.name)}", flush=True)
    lines = ["| build | " + " | ".join(BY_NAME[r].text for r in rows) + " |"]
    lines.append("|---|" + "--:|" * len(rows))
    base = found.get(builds[0].name)
    if not base:
        raise BenchError(f"{builds[0].name} could not be counted")
    for name, of in found.items():
        cells = [
            f"{of[r]:,.0f} ({of[r] / base[r] - 1:+.1%})" if r in of and r in base else ""
            for r in rows
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines), found


def as_json(results: dict) -> list[dict]:
    figures = [*FIGURES, "server_core_foreign", "load_core_busy"]
    return [
        {
            "row": row,
            "connections": shape.connections,
            "variant": name,
            "rounds": [{f: r[f] for f in figures} for r in rounds.values()],
        }
        for (row, shape, name), rounds in results.items()
    ]


def run(args: argparse.Namespace, folder: Path) -> dict:
    descriptors = machine.raise_descriptor_limit(30_000)
    setting = Setting(args.tools, args.daemon, None, Cores.apart(), folder, descriptors)
    for name, value in machine.describe(args.daemon).items():
        print(f"- {name}: {value}")
    print(f"- {setting.cores}\n", flush=True)
    every = variants.groups(args.builds)
    found: dict = {}
    for name in args.groups:
        turns = Turns(args.rounds)
        if name in every:
            results = run_group(every[name], setting, args, turns)
            title, text, data = every[name].text, table(every[name], results), as_json(results)
        elif name == "memory":
            title = "memory that stays"
            text, data = run_memory(setting, args, turns)
        else:
            title = "instructions a request"
            text, data = run_counted(setting, args, turns)
        print(f"\n## {title}\n\n{text}\n", flush=True)
        for variant, why in turns.skipped.items():
            print(f"- left out: {variant}: {why}")
        found[name] = {"figures": data, "skipped": turns.skipped}
    return found


def main() -> int:
    args = parse_arguments()
    with tempfile.TemporaryDirectory(prefix="mongocached-beyond-") as folder:
        try:
            found = run(args, Path(folder))
        except BenchError as error:
            print(f"\nbenchmark failed: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            return 130
    if args.out:
        args.out.write_text(json.dumps(found | {"load": os.getloadavg()}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
