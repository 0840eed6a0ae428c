"""One program a driver takes the same steps, straight and through the daemon."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from outcomes import FAILED, PASSED, Outcome, Outcomes, from_tap
from places import COMPAT_DEPS, PROGRAMS, ROOT
from stack import Side, Stack

PROGRAM_SECONDS = 120
OUT_OF_TIME = f"over {PROGRAM_SECONDS} s"
NOTHING_STRAIGHT = "nothing passes straight"
STEPS = [
    *["crud", "bulk", "duplicate key", "cursor batches", "cursor killed"],
    *["count distinct aggregate", "indexes", "session reads its writes", "transaction commits"],
    *["transaction aborts", "change stream", "change stream resumes", "gridfs", "retryable read"],
    *["retryable write", "unacknowledged write", "command monitoring", "topology monitoring"],
]
NO_STEPS = {"program", "compression"}
"""What is judged like a step: how the program ended, and what its messages were compressed with."""
NODE = {"NODE_PATH": str(ROOT / ".deps/node/node_modules")}
PYTHON = str(COMPAT_DEPS / "python/bin/python")


@dataclass(frozen=True)
class Program:
    name: str
    argv: Sequence[str]
    needs: Sequence[Path] = ()
    """Files that the set-up makes; where one is missing the program is skipped, visibly."""
    env: Mapping[str, str] = field(default_factory=dict)
    lacks: str = ""
    """Steps that the driver has no way to take, and why."""
    cannot: Mapping[str, str] = field(default_factory=dict)
    """Deployments, by name, that the driver has no way to meet, and why."""
    arguments: Callable[[Sequence[str], str, str, str], Sequence[str]] | None = None

    @property
    def missing(self) -> str:
        absent = [str(path) for path in self.needs if not path.exists()]
        return f"not installed: {', '.join(absent)}" if absent else ""


def mongosh_arguments(argv: Sequence[str], uri: str, _name: str, _topology: str) -> Sequence[str]:
    return [argv[0], uri, *argv[1:]]


def programs() -> list[Program]:
    def python(file: str, *words: str) -> list[str]:
        return [PYTHON, "-B", str(PROGRAMS / file), *words]

    def built(name: str) -> tuple[str, Path]:
        return str(COMPAT_DEPS / name), COMPAT_DEPS / name

    mongosh = ROOT / ".deps/node/node_modules/.bin/mongosh"
    go, go_file = built("programs/go_steps")
    c, c_file = built("programs/c_steps")
    jars = COMPAT_DEPS / "java"
    of_node = {"snappy": "wants the package snappy", "zstd": "wants @mongodb-js/zstd"}
    of_perl = {"snappy": "wants Compress::Snappy", "zstd": "wants Compress::Zstd"}
    of_ruby = {
        "users": "knows SCRAM-SHA-1 only, SecantusDB SCRAM-SHA-256",
        "snappy": "knows zlib only",
        "zstd": "knows zlib only",
    }
    old_ruby = "Debian's Ruby driver is 2.5: older than transactions, change streams and SDAM"
    return [
        Program("PyMongo", python("pymongo_steps.py"), [Path(PYTHON)]),
        Program("PyMongo, async", python("pymongo_async_steps.py", "pymongo"), [Path(PYTHON)]),
        Program("Motor", python("pymongo_async_steps.py", "motor"), [Path(PYTHON)]),
        Program("Node driver", ["node", str(PROGRAMS / "node_steps.js")], env=NODE, cannot=of_node),
        Program(
            "Mongoose",
            ["node", str(PROGRAMS / "mongoose_steps.js")],
            env=NODE,
            cannot=of_node,
        ),
        Program(
            "mongosh",
            [str(mongosh), "--quiet", "--file", str(PROGRAMS / "mongosh_steps.js")],
            [mongosh],
            cannot=of_node,
            arguments=mongosh_arguments,
        ),
        Program("Go driver", [go], [go_file]),
        Program(
            "Java sync driver",
            ["java", "-cp", f"{jars}/*:{jars}", "Steps"],
            [jars / "Steps.class"],
        ),
        Program("libmongoc", [c], [c_file]),
        Program(
            "PHP",
            ["php", str(PROGRAMS / "php_steps.php")],
            [Path("/usr/bin/php")],
            lacks="the extension has none",
        ),
        Program(
            "Perl",
            ["perl", str(PROGRAMS / "perl_steps.pl")],
            [Path("/usr/share/perl5/MongoDB.pm")],
            lacks="its cursors hide their ids; its w: 0 is an opcode that servers since 5.1 refuse",
            cannot=of_perl,
        ),
        Program(
            "Ruby 2.5",
            ["ruby", str(PROGRAMS / "ruby_steps.rb")],
            [Path("/usr/bin/ruby")],
            lacks=old_ruby,
            cannot=of_ruby,
        ),
    ]


def has_passed(outcomes: Outcomes) -> bool:
    return any(o.result == PASSED for name, o in outcomes.items() if name not in NO_STEPS)


@dataclass
class Compared:
    program: Program
    straight: Outcomes = field(default_factory=dict)
    through: Outcomes = field(default_factory=dict)
    skipped: str = ""

    def broken(self) -> dict[str, str]:
        """Steps that pass straight and not through."""
        return {
            name: self.through.get(name, Outcome(FAILED, "not reported")).reason
            for name, outcome in self.straight.items()
            if outcome.result == PASSED and self.through.get(name, Outcome(FAILED)).result != PASSED
        }

    @property
    def ran_out_of_time(self) -> bool:
        return self.through.get("program", Outcome(PASSED)).reason == OUT_OF_TIME

    def passed(self) -> tuple[int, int]:
        """Steps that pass through, and of how many that pass straight."""
        steps = [n for n, o in self.straight.items() if o.result == PASSED and n not in NO_STEPS]
        return sum(step not in self.broken() for step in steps), len(steps)

    def not_taken(self) -> list[str]:
        return [step for step in STEPS if step not in self.straight]


def compare(program: Program, stack: Stack) -> Compared:
    if program.missing:
        return Compared(program, skipped=program.missing)
    straight, through = (run(program, side) for side in (stack.straight, stack.through))
    return Compared(program, straight, through)


def run(program: Program, side: Side) -> Outcomes:
    name = f"compat_{uuid.uuid4().hex[:8]}"
    if program.arguments:
        argv = program.arguments(program.argv, side.uri, name, side.topology)
    else:
        argv = [*program.argv, side.uri, name, side.topology]
    told = {"DATABASE": name, "TOPOLOGY": side.topology}
    env = {**os.environ, **program.env, **side.env, **told}
    try:
        ended = subprocess.run(
            argv, env=env, capture_output=True, text=True, timeout=PROGRAM_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as late:
        said = late.stdout.decode() if isinstance(late.stdout, bytes) else late.stdout or ""
        return from_tap(said) | {"program": Outcome(FAILED, OUT_OF_TIME)}
    found = from_tap(ended.stdout)
    if ended.returncode != 0 or not found:
        words = " ".join((ended.stderr or ended.stdout).split())[-300:]
        found["program"] = Outcome(FAILED, f"exit status {ended.returncode}: {words}")
    else:
        found["program"] = Outcome(PASSED)
    return found
