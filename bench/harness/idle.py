"""Ten thousand clients that are connected and say nothing: what they cost, and that each of them is
answered when it asks."""

import json
from dataclasses import replace

from harness import machine, measure
from harness.processes import BenchError, ProcessGroup
from harness.rows import BY_NAME
from harness.subjects import Setting

TITLE = "Idle clients"
WANTED = 10_000
REST = 1.5  # seconds: the daemon's memory is read meanwhile
# What an idle client may have behind it.
STATES = {
    "greeted": "connected",
    "answered": "answered from the cache",
    "relayed": "with an upstream connection, a find relayed",
}


def run(setting: Setting, quick: bool) -> dict:
    # That many new clients at once keep the change stream waiting for the core.
    setting = replace(setting, daemon_settings={"CACHE_MAX_LAG": "30s"})
    clients = min(1000 if quick else WANTED, machine.most_clients(setting.descriptors))
    greeted, answered = rest_around(setting, clients, "memory_hit", "l1_hit")
    _, relayed = rest_around(setting, clients, "relay", "bypass")
    return {
        "clients": clients,
        "bytes": {"greeted": greeted, "answered": answered, "relayed": relayed},
    }


def rest_around(setting: Setting, clients: int, row_name: str, outcome: str) -> tuple[float, float]:
    """Resident bytes of each client, before and after each of them asked once."""
    row = BY_NAME[row_name]
    with ProcessGroup(setting.folder) as group:
        subject = row.start(group, setting)
        measure.prepare(setting, row, subject)
        # What the first clients leave behind belongs to no idle client.
        measure.run_load(setting, subject, ["--connections", "50", "--count", "10000"])
        before = subject.server.resident_bytes()
        options = [
            "--keys",
            "single",
            "--connections",
            str(clients),
            "--count",
            str(clients),
        ]
        options += ["--in-flight", "50", "--warm-up", "0", "--idle", str(REST)]
        command = measure.load_command(setting, subject, options)
        ended = subject.outcomes("find")
        load = group.start("load", command, setting.cores.load)
        load.wait_for("the connections", lambda: "idle\n" in load.output(), 60)
        greeted = subject.server.resident_bytes()
        load.wait_for("the answers", lambda: load.output().count("idle\n") > 1, 60)
        answered = subject.server.resident_bytes()
        ended = subject.outcomes("find") - ended
        status, output = load.child.wait(60), load.output()
    result = json.loads(output[output.index("{") :]) if "{" in output else {}
    if status != 0 or result.get("requests") != clients:
        raise BenchError(f"not all of {clients} clients were answered:\n{output[-1500:]}")
    if ended[outcome] < row.share * clients:
        raise BenchError(f"idle clients: finds ended as {dict(ended)}, not as {outcome}")
    return (greeted - before) / clients, (answered - before) / clients


def text(found: dict) -> str:
    lines = [
        f"- {found['clients']:,} clients connected at once, each asked once: all were answered",
        "- resident memory of an idle client: "
        + ", ".join(f"{found['bytes'][s] / 1024:.1f} kB {name}" for s, name in STATES.items()),
    ]
    if found["clients"] < WANTED:
        lines.append(
            f"- fewer than {WANTED:,}: a quick run, or the limit on open files (`ulimit -Hn`), of "
            "which the daemon needs two a client"
        )
    return "\n".join(lines)
