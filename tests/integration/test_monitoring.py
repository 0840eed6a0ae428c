"""Dashboard and alert rules against a real Prometheus that scrapes a running daemon."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest
from support.metrics import scrape
from support.paths import ROOT
from support.servers import Daemon, Redis, Server, Servers, Upstream
from support.wait import wait_until

Document = dict[str, Any]
PROMETHEUS = ROOT / "docker/prometheus"
DASHBOARD = json.loads((ROOT / "docker/grafana/dashboards/mongocached.json").read_text())
RULES = PROMETHEUS / "mongocached.rules.yml"
COMPARISON = re.compile(r"\s*(?:==|>=|<=|>|<)\s*[\d.]+")


def prometheus_tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed (scripts/install-deps installs it)")
    return path


class Prometheus(Server):
    """With our configuration, but for the target and a shorter interval."""

    name = "prometheus"

    def __init__(self, directory: Path, daemon: Daemon) -> None:
        super().__init__(directory)
        self.daemon = daemon
        target = f"127.0.0.1:{daemon.http_port}"
        shutil.copy(RULES, directory)
        text = (PROMETHEUS / "prometheus.yml").read_text()
        config, targets = re.subn(r'targets: \[".*"\]', f'targets: ["{target}"]', text)
        config, intervals = re.subn(r"_interval: 15s", "_interval: 1s", config)
        assert (targets, intervals) == (1, 2), "prometheus.yml is as this test knows it"
        (directory / "prometheus.yml").write_text(config)

    def argv(self) -> list[str | Path]:
        return [
            prometheus_tool("prometheus"),
            f"--config.file={self.directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.directory / 'data'}",
            f"--web.listen-address={self.address}",
        ]

    def is_ready(self) -> bool:
        with urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=1) as answer:
            return answer.status == 200

    def ask(self, path: str, **arguments: str) -> Any:
        url = f"http://{self.address}/api/v1/{path}?{urllib.parse.urlencode(arguments)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]

    def values(self, expression: str) -> list[float]:
        """Of an instant query, without those that are no number."""
        samples = self.ask("query", query=expression)["result"]
        numbers = [float(sample["value"][1]) for sample in samples]
        return [number for number in numbers if not math.isnan(number)]


def load(uri: str) -> None:
    """Hits, misses, writes, relayed requests."""
    with pymongo.MongoClient(uri) as client:
        films = client.monitoring.films
        for i in range(20):
            films.update_one({"_id": i}, {"$set": {"n": i}}, upsert=True)
            for _ in range(3):
                films.find_one({"_id": i})
        films.count_documents({})


@pytest.fixture(scope="module")
def prometheus(upstream: Upstream, redis_server: Redis) -> Iterator[Prometheus]:
    config = "[cache]\nverify_share = 1.0\n"
    with Servers() as servers:
        daemon = servers.daemon(upstream.uri, redis_server.uri, config=config)
        watching = Prometheus(servers.folder(), daemon)
        servers.running.append(watching)
        watching.start()

        def is_judged() -> bool:
            load(daemon.uri)
            verified = scrape(daemon.http_url).by("mongocached_verified_total", "result")
            grown = 'rate(mongocached_requests_total{outcome="l1_hit",command="find"}[5m]) > 0'
            judged = 'rate(mongocached_verified_total{result="match"}[5m]) > 0'
            rules = watching.ask("rules")["groups"]
            return (
                bool(verified)
                and all(rule["health"] == "ok" for group in rules for rule in group["rules"])
                and bool(watching.values(grown) and watching.values(judged))
            )

        wait_until(is_judged, deadline=30, pause=0.2, what="two scrapes with load between them")
        yield watching


def panel_expressions() -> Iterator[tuple[str, str]]:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield f"{panel['title']} {target['refId']}", target["expr"]


def substituted(expression: str) -> str:
    """As Grafana does for `All`."""
    for variable, value in {"$__rate_interval": "30s", "$job": ".+", "$instance": ".+"}.items():
        expression = expression.replace(variable, value)
    assert "$" not in expression
    return expression


PANELS = dict(panel_expressions())


@pytest.mark.parametrize("panel", PANELS)
def test_every_panel_shows_something(prometheus: Prometheus, panel: str) -> None:
    assert prometheus.values(substituted(PANELS[panel])) != []


def test_variables_and_annotations_are_found(prometheus: Prometheus) -> None:
    variables = {v["name"]: v for v in DASHBOARD["templating"]["list"]}
    for name in ("job", "instance"):
        metric = re.match(r"label_values\((\w+)", variables[name]["definition"])
        assert metric is not None
        (series,) = prometheus.ask("query", query=metric[1])["result"]
        assert series["metric"][name]
    (starts,) = DASHBOARD["annotations"]["list"]
    assert prometheus.values(COMPARISON.sub("", substituted(starts["expr"]))) == [0]


def rules_of(prometheus: Prometheus, kind: str) -> list[Document]:
    groups = prometheus.ask("rules")["groups"]
    return [rule for group in groups for rule in group["rules"] if rule["type"] == kind]


def test_no_alert_is_due_on_a_healthy_system_and_each_has_data(prometheus: Prometheus) -> None:
    alerts = rules_of(prometheus, "alerting")
    assert len(alerts) == RULES.read_text().count("- alert:")

    def are_none_due() -> bool:
        load(prometheus.daemon.uri)  # so that a moment when the machine was busy counts for less
        return not any(prometheus.values(rule["query"]) for rule in alerts)

    wait_until(are_none_due, deadline=20, pause=0.2)
    bare = {rule["name"]: COMPARISON.sub("", rule["query"]) for rule in alerts}
    assert all(bare[rule["name"]] != rule["query"] for rule in alerts)
    assert {name for name, query in bare.items() if not prometheus.values(query)} == set()


def test_recording_rules_record(prometheus: Prometheus) -> None:
    recorded = rules_of(prometheus, "recording")
    assert recorded
    for rule in recorded:
        wait_until(lambda name=rule["name"]: prometheus.values(name), what=rule["name"])


def run(*words: str | Path) -> None:
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_files_are_understood() -> None:
    run(prometheus_tool("promtool"), "check", "config", PROMETHEUS / "prometheus.yml")


def test_every_alert_can_fire() -> None:
    tests = PROMETHEUS / "mongocached.rules.test.yml"
    run(prometheus_tool("promtool"), "test", "rules", tests)
    names = re.findall(r"- alert: (\w+)", RULES.read_text())
    text = tests.read_text()
    assert [name for name in names if f'alertname="{name}"' not in text] == []


def test_dashboard_is_whole() -> None:
    panels = DASHBOARD["panels"]
    ids = [panel["id"] for panel in panels]
    assert len(ids) == len(set(ids))
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells)), "panels do not overlap"
    assert max(x for x, _ in cells) < 24
