"""docs/compatibility.md, written by `make compat`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from deployments import Deployed
from outcomes import FAILED, PASSED, SKIPPED, counts
from programs import NO_STEPS, Compared
from stack import MONGOS
from suites import SuiteResult

HEAD = """\
# Drivers

Written by `make compat` (it installs what it needs first: `scripts/install-compat-deps`).
Everything below was run twice: straight to the upstream, and through mongocached in front of
another upstream of the same kind, with Redis and default settings. **What passes straight passes
through**, but for what is listed below, one a line, with its reason.
"""


def render(
    programs: Sequence[Compared], suites: Sequence[SuiteResult], deployed: Sequence[Deployed]
) -> str:
    parts = [HEAD, _programs(programs)]
    if deployed:
        parts.append(_deployments(deployed))
    if suites:
        parts += [_suites(suites), _unexplained(suites), _explained(suites)]
        parts += [_of_any_proxy(suites), _topology(suites)]
    return "\n".join(parts)


def _programs(programs: Sequence[Compared]) -> str:
    lines = [
        "## The same steps with every driver",
        "CRUD, bulk, cursors (getMore, killCursors), sessions, transactions, change streams,",
        "GridFS, retryable reads and writes, unacknowledged writes, command and topology events",
        "(`tests/compat/programs/`).",
        "",
        "| driver | steps | pass straight | pass through | not taken |",
        "|---|--:|--:|--:|---|",
    ]
    for one in programs:
        if one.skipped:
            lines.append(f"| {one.program.name} | | | | not run: {one.skipped} |")
            continue
        straight, through = (_without_program(side) for side in (one.straight, one.through))
        missing = ", ".join(one.not_taken())
        note = f"{missing}{f' ({one.program.lacks})' if missing and one.program.lacks else ''}"
        row = [one.program.name, len(straight), counts(straight)[PASSED], counts(through)[PASSED]]
        lines.append(f"| {' | '.join(map(str, row))} | {note} |")
    for one in programs:
        lines += [
            f"- {one.program.name}: {step} fails through: {why}"
            for step, why in one.broken().items()
        ]
    return "\n".join(lines) + "\n"


def _without_program(outcomes: Mapping) -> dict:
    return {name: outcome for name, outcome in outcomes.items() if name not in NO_STEPS}


def _deployments(deployed: Sequence[Deployed]) -> str:
    names = [one.deployment.name for one in deployed]
    lines = [
        "## The same steps in every deployment",
        "Steps that pass through, of those that pass straight under the same conditions.",
        "",
        *(f"- {one.deployment.name}: {one.deployment.what}" for one in deployed),
        "",
        f"| driver | {' | '.join(names)} |",
        f"|---|{'---|' * len(names)}",
    ]
    for row in zip(*(one.compared for one in deployed), strict=True):
        lines.append(f"| {row[0].program.name} | {' | '.join(map(_cell, row))} |")
    lines.append("")
    for one in deployed:
        lines += [
            f"- {compared.program.name}, {one.deployment.name}: {step} fails through: {why}"
            for compared in one.compared
            for step, why in compared.broken().items()
        ]
    return "\n".join(lines).rstrip() + "\n"


def _cell(one: Compared) -> str:
    return f"not run: {one.skipped}" if one.skipped else "{} of {}".format(*one.passed())


def _suites(suites: Sequence[SuiteResult]) -> str:
    lines = [
        "## Drivers' own test suites",
        "Failures on both sides are the upstream's (SecantusDB lacks commands) or the machine's.",
        "",
        "| suite | | passed | failed | skipped |",
        "|---|---|--:|--:|--:|",
    ]
    for one in suites:
        if one.suite.missing:
            lines.append(f"| {one.suite.name} | not run: {one.suite.missing} | | | |")
            continue
        for side, outcomes in (("straight", one.straight), ("through", one.through)):
            count = counts(outcomes)
            row = [one.suite.name, side, count[PASSED], count[FAILED], count[SKIPPED]]
            lines.append(f"| {' | '.join(map(str, row))} |")
    for one in suites:
        lines += ["", f"{one.suite.name}: {_modules(one)} Left out: {one.suite.left_out}."]
        if one.suite.pose != MONGOS:
            lines.append(f'mongocached ran with `listen.pose = "{one.suite.pose}"`.')
        if one.cut:
            lines.append(f"Cut short by its bound of time: {', '.join(one.cut)}.")
        if one.flaky:
            lines.append(f"By chance (repeated on both sides): {', '.join(one.flaky)}.")
    return "\n".join(lines) + "\n"


def _modules(one: SuiteResult) -> str:
    names = (module.rsplit("/", 1)[-1].removesuffix(".py") for module in one.suite.modules)
    return ", ".join(name.removeprefix("test_") for name in names) + "."


def _listed(title: str, why: str, found: Iterable[Mapping[str, str]]) -> str:
    """Tests, each with its reason, a suite behind the other."""
    rows = [f"- `{test}`: {reason}" for one in found for test, reason in sorted(one.items())]
    return "\n".join([f"## {title}", why, "", *(rows or ["None."])]) + "\n"


def _unexplained(suites: Sequence[SuiteResult]) -> str:
    found = (one.broken for one in suites)
    return _listed("Passes straight, fails through", "Faults of ours.", found)


def _explained(suites: Sequence[SuiteResult]) -> str:
    why = (
        "Most arm a fail point for the next command of a kind and count on their own command to\n"
        "meet it. Each passes through a daemon with `cache.enabled = false` (same run)."
    )
    return _listed("What a cache changes", why, (one.explained for one in suites))


def _of_any_proxy(suites: Sequence[SuiteResult]) -> str:
    why = (
        "What is asked is about the connection to a server of one's own. Each fails through a\n"
        "daemon with `cache.enabled = false` as well (same run)."
    )
    return _listed("What any proxy changes", why, (one.of_any_proxy for one in suites))


def _topology(suites: Sequence[SuiteResult]) -> str:
    passed = sum(len(one.only_through(PASSED)) for one in suites)
    first = _listed(
        "Skipped through, because the topology is a mongos",
        "They want a replica set, or commands that only a mongod has.",
        (one.skipped_by_topology() for one in suites),
    )
    second = _listed(
        "Skipped straight, because the topology is no mongos",
        f"{passed} of these pass through. Those that fail want a sharded cluster behind it:",
        (one.only_through(FAILED) for one in suites),
    )
    return f"{first}\n{second}"
