"""What memory stays with the daemon: after its cache was filled several times over, and after many
cold clients have left."""

import json
import time

from harness import machine, measure
from harness.processes import BenchError, ProcessGroup
from harness.rows import BY_NAME, daemon_row
from harness.subjects import Setting, Subject

BUDGET = 32 * 1024 * 1024
FILLS = 100_000  # documents of 560 bytes and less: twice what fits
CLIENTS = 9_800
CALM = 10.0  # seconds in which the daemon may give back what it does not need


def after_fill(setting: Setting) -> float:
    """Resident bytes that came with the documents, through the budget."""
    row = BY_NAME["fill"]
    start = daemon_row({"CACHE_MEMORY": f"{BUDGET}B"})
    with ProcessGroup(setting.folder) as group:
        subject = start(group, setting)
        measure.prepare(setting, row, subject)
        before = subject.server.resident_bytes()
        options = ["--keys", "distinct", "--connections", "50", "--count", str(FILLS)]
        measure.run_load(setting, subject, options)
        return (subject.server.resident_bytes() - before) / BUDGET


def after_clients(setting: Setting) -> tuple[float, float]:
    """Resident bytes that many clients at once, each with one miss, leave behind: as soon as they
    have left, and somewhat later."""
    row = BY_NAME["miss"]
    clients = min(CLIENTS, machine.most_clients(setting.descriptors))
    with ProcessGroup(setting.folder) as group:
        subject = row.start(group, setting)
        measure.prepare(setting, row, subject)
        before = subject.server.resident_bytes()
        options = ["--keys", "distinct", "--connections", str(clients), "--count", str(clients)]
        result = json.loads(measure.run_load(setting, subject, [*options, "--warm-up", "0"]))
        if result["requests"] != clients:
            raise BenchError(f"not all of {clients} clients were answered: {result}")
        left = resident_once_steady(subject) - before
        time.sleep(CALM)
        return left, subject.server.resident_bytes() - before


def resident_once_steady(subject: Subject) -> int:
    """When all that leave have left: it has not become less for half a second."""
    last = subject.server.resident_bytes()
    end = time.monotonic() + 20
    while time.monotonic() < end:
        time.sleep(0.5)
        now = subject.server.resident_bytes()
        if now >= last - 64 * 1024:
            return now
        last = now
    return last


def measured(setting: Setting) -> dict[str, float]:
    left, calm = after_clients(setting)
    return {"fill": after_fill(setting), "left": left, "calm": calm}
