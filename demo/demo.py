#!/usr/bin/env python3
"""Shows what mongocached does for a program that is far from its cluster.

Starts an upstream, Redis, a relay that puts the upstream a round trip away, and the daemon; runs
the same PyMongo program directly, with a cache written by hand, and through the daemon; prints
what each took and stops everything. `--keep` leaves it running to be tried.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests" / "integration"))

import latency_chart  # noqa: E402
import pymongo  # noqa: E402
from support import real_data  # noqa: E402
from support.metrics import Metrics  # noqa: E402
from support.paths import MONGOSH, daemon_binary  # noqa: E402
from support.servers import Daemon, Redis, Server, Servers, Upstream  # noqa: E402
from workload import Record  # noqa: E402

VISITS = 500
STEADY_SECONDS = 5
CHART = HERE / "report" / "latency.svg"
KINDS = {
    "film": "a film by _id",
    "films": "20 films by $in",
    "best_of": "10 best of a genre",
    "place": "a place by ZIP code",
    "years_of": "films a year (aggregate)",
    "rate": "a rating (update)",
}
HITS = ("l1_hit", "redis_hit", "coalesced")


class DemoError(RuntimeError):
    """Something the demo promises did not hold."""


@dataclass(frozen=True)
class Way:
    name: str
    visits: list[Record]
    steady: list[Record]

    def cold(self, kind: str) -> list[float]:
        return [r.milliseconds for r in self.visits if r.kind == kind and r.first]

    def warm(self, kind: str) -> list[float]:
        steady = [r.milliseconds for r in self.steady if r.kind == kind]
        return steady or [r.milliseconds for r in self.visits if r.kind == kind]

    @property
    def seconds(self) -> float:
        return sum(r.milliseconds for r in self.visits) / 1000

    @property
    def film_p50(self) -> float:
        return statistics.median(self.warm("film"))


class Distance(Server):
    """distance.py in a process of its own, so that it takes no time from what is measured."""

    name = "distance"

    def __init__(self, directory: Path, to: str, round_trip: float) -> None:
        super().__init__(directory)
        self.to = to
        self.round_trip = round_trip

    def argv(self) -> list[str | Path]:
        words = ["--listen", self.address, "--to", self.to, "--round-trip", str(self.round_trip)]
        return [sys.executable, "-B", HERE / "distance.py", *words]

    def is_ready(self) -> bool:
        socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        return True

    @property
    def uri(self) -> str:
        # directConnection: the upstream tells its own address, and a client that followed it
        # would go round the relay.
        return f"mongodb://{self.address}/?directConnection=true"


class Demo:
    def __init__(self, servers: Servers, round_trip: float) -> None:
        self.servers = servers
        say("starting an upstream, Redis and the distance between")
        self.upstream: Upstream = servers.upstream(test_commands=False)
        self.redis: Redis = servers.redis()
        self.distance = Distance(servers.folder(), self.upstream.address, round_trip)
        servers.running.append(self.distance)
        self.distance.start()
        self.daemon: Daemon | None = None

    def load(self) -> None:
        with self.upstream.client() as client:
            database = client[real_data.DATABASE]
            places = len(real_data.load_places(database))
            films = len(real_data.load_films(database))
            version = client.server_info()["version"]
        product = "mongod" if self.upstream.mongod else "SecantusDB, which speaks as MongoDB"
        say(f"loaded {films} films and {places} places into {product} {version}")
        say(f"a ping takes {self.ping():.1f} ms there and back")

    def ping(self) -> float:
        with pymongo.MongoClient(self.distance.uri) as client:
            client.admin.command("ping")
            took = []
            for _ in range(10):
                started = time.perf_counter()
                client.admin.command("ping")
                took.append((time.perf_counter() - started) * 1000)
        return statistics.median(took)

    def fresh(self) -> None:
        """The same films for every way, and nothing cached yet."""
        with self.upstream.client() as client:
            real_data.load_films(client[real_data.DATABASE])
        with self.redis.client() as client:
            client.flushall()

    def start_daemon(self) -> Daemon:
        self.daemon = self.servers.daemon(self.distance.uri, self.redis.uri)
        return self.daemon

    def run(
        self, name: str, app: str, uri: str, after_visits: Callable[[], None] = lambda: None
    ) -> Way:
        say(f"{name}: {VISITS} visits")
        visits = self._run_app(app, uri, "visits", "--count", VISITS)
        after_visits()
        say(f"{name}: {STEADY_SECONDS} s of what is most popular")
        steady = self._run_app(app, uri, "steady", "--seconds", STEADY_SECONDS)
        return Way(name, visits, steady)

    def _run_app(self, app: str, uri: str, *words: str | int) -> list[Record]:
        argv = [sys.executable, "-B", HERE / app, uri, *words]
        environment = {**os.environ, "REDIS_URL": self.redis.uri}
        done = subprocess.run(
            list(map(str, argv)), env=environment, capture_output=True, text=True, timeout=300
        )
        if done.returncode:
            print(done.stderr[-3000:], file=sys.stderr)
            raise DemoError(f"{app} {words[0]} failed with status {done.returncode}")
        return [Record(**json.loads(line)) for line in done.stdout.splitlines()]


def say(words: str) -> None:
    print(f"demo: {words}", flush=True)


def check_same_answers(ways: Sequence[Way]) -> None:
    first = ways[0]
    for other in ways[1:]:
        for number, (a, b) in enumerate(zip(first.visits, other.visits, strict=True)):
            if (a.key, a.digest) != (b.key, b.digest):
                raise DemoError(
                    f"visit {number}, {a.key}: {first.name} and {other.name} answered differently"
                )
        expected = {r.key: r.digest for r in first.steady}
        if any(expected.get(r.key, r.digest) != r.digest for r in other.steady):
            raise DemoError(f"{first.name} and {other.name} answered differently when warm")
    asked = sum(len(way.visits) + len(way.steady) for way in ways)
    say(f"all ways gave the same answers ({asked} compared)")


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def duration(milliseconds: float) -> str:
    return f"{milliseconds:.{2 if milliseconds < 10 else 1}f} ms"


def print_table(ways: Sequence[Way]) -> None:
    print(f"\n{'':26}{'':14}{'cold':>10}{'warm p50':>12}{'warm p99':>12}{'requests/s':>12}")
    for kind, title in KINDS.items():
        for way in ways:
            cold, warm = way.cold(kind), way.warm(kind)
            cells = [
                duration(statistics.median(cold)) if cold and kind != "rate" else "-",
                duration(statistics.median(warm)),
                duration(percentile(warm, 0.99)),
                f"{1000 / statistics.mean(warm):.0f}",
            ]
            print(f"{title:26}{way.name:14}{cells[0]:>10}" + "".join(f"{c:>12}" for c in cells[1:]))
            title = ""
    totals = ", ".join(f"{way.name} {way.seconds:.1f} s" for way in ways)
    print(f"\nthe {VISITS} visits one after the other, cold start and ratings included: {totals}")
    print("cold: asked for the first time; warm: the most popular things, one client, no writes")


def print_cache(after_visits: Metrics, in_the_end: Metrics) -> None:
    print(
        f"\nhit ratio: {hit_ratio(after_visits)} of the visits' cacheable reads from a cold start,"
    )
    print(f"           {hit_ratio(in_the_end)} in the end")
    outcomes = in_the_end.by("mongocached_requests_total", "outcome")
    print("requests by outcome: " + listed(outcomes))
    reasons = in_the_end.by("mongocached_bypass_total", "reason")
    print("not cached, and why: " + listed(reasons))


def hit_ratio(metrics: Metrics) -> str:
    outcomes = metrics.by("mongocached_requests_total", "outcome")
    hits = sum(outcomes.get(outcome, 0) for outcome in HITS)
    asked = hits + outcomes.get("miss", 0)
    return f"{hits / asked:.1%}" if asked else "nothing"


def listed(counts: dict[str, float]) -> str:
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {count:.0f}" for name, count in ordered) or "nothing"


def write_chart(ways: Sequence[Way], round_trip: float) -> None:
    series = []
    for way in ways:
        values = [record.milliseconds for record in way.visits]
        note = f"half within {duration(statistics.median(values))}"
        series.append(latency_chart.Series(way.name, note, values))
    chart = latency_chart.draw(
        f"The same {VISITS} requests, with the cluster {round_trip:g} ms away",
        "A movie site from a cold start: reads by popularity, aggregates and updates; "
        "bars are shares of all requests, the triangle is the median",
        series,
    )
    CHART.parent.mkdir(parents=True, exist_ok=True)
    CHART.write_text(chart)
    say(f"histogram: {CHART.relative_to(HERE.parent)}")


def compare(demo: Demo, round_trip: float) -> float:
    """Runs the three ways, prints what they took, and returns the speed-up."""
    demo.load()
    direct = demo.run("direct", "app.py", demo.distance.uri)
    demo.fresh()
    aside = demo.run("cache-aside", "app_cache_aside.py", demo.distance.uri)
    demo.fresh()
    daemon = demo.start_daemon()
    scrapes: list[Metrics] = []
    proxied = demo.run(
        "mongocached", "app.py", daemon.uri, lambda: scrapes.append(daemon.metrics())
    )
    ways = (direct, aside, proxied)
    check_same_answers(ways)
    print_table(ways)
    print_cache(scrapes[0], daemon.metrics())
    print()
    write_chart(ways, round_trip)
    return direct.film_p50 / proxied.film_p50


def wait_for_ctrl_c(demo: Demo) -> None:
    assert demo.daemon is not None
    print("\nRunning until Ctrl-C. Try it:")
    print(f"  any client, cached         {demo.daemon.uri}")
    print(f"  the cluster, far away      {demo.distance.uri}")
    print(f"  mongosh                    {MONGOSH} {demo.daemon.uri}{real_data.DATABASE}")
    print(f"  the app                    {sys.executable} demo/app.py {demo.daemon.uri} visits")
    print(f"  look inside                curl {demo.daemon.http_url}/status", flush=True)
    signal.pause()


def interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="leave it running until Ctrl-C")
    parser.add_argument("--round-trip", type=float, default=50.0, metavar="MILLISECONDS")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, interrupt)
    with Servers() as servers:
        try:
            daemon_binary()
            demo = Demo(servers, options.round_trip)
            speed_up = compare(demo, options.round_trip)
            print(f"speed-up: {speed_up:.1f}x", flush=True)
            if options.keep:
                wait_for_ctrl_c(demo)
        except KeyboardInterrupt:
            return 0 if options.keep else 130
        except Exception as error:
            for _, tail in servers.log_tails():
                print(tail, file=sys.stderr)
            first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
            print(f"demo: failed: {first_line}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
