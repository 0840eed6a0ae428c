"""The HTTP side port: health, status, invalidation by hand, and who may ask."""

from __future__ import annotations

import http.client
import json
import urllib.parse
import uuid
from collections.abc import Iterator
from typing import Any

import pymongo
import pytest
from support.servers import Daemon, Servers, Upstream
from support.wait import wait_until

Document = dict[str, Any]
NAMES = [
    "mongocached_requests_total",
    "mongocached_bypass_total",
    "mongocached_invalidations_total",
    "mongocached_request_duration_seconds_bucket",
    "mongocached_fills_rejected_total",
    "mongocached_cache_entries",
    "mongocached_cache_bytes",
    "mongocached_evictions_total",
    "mongocached_expired_total",
    "mongocached_cache_limit_bytes",
    "mongocached_list_key_bytes",
    "mongocached_cache_refused_total",
    "mongocached_verified_total",
    "mongocached_staleness_seconds_count",
    "mongocached_redis_up",
    "mongocached_redis_configured",
    "mongocached_redis_subscribed",
    "mongocached_redis_commands_total",
    "mongocached_redis_errors_total",
    "mongocached_redis_duration_seconds_count",
    "mongocached_upstream_up",
    "mongocached_upstream_connections",
    "mongocached_upstream_duration_seconds_count",
    "mongocached_stream_up",
    "mongocached_stream_state",
    "mongocached_stream_lag_seconds",
    "mongocached_stream_events_total",
    "mongocached_client_connections",
    "mongocached_client_connections_total",
    "mongocached_client_disconnects_total",
    "mongocached_build_info",
    "mongocached_log_lines_dropped_total",
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
    "process_open_fds",
    "process_start_time_seconds",
]


def ask(daemon: Daemon, method: str, path: str, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", daemon.http_port, timeout=5)
    try:
        connection.request(
            method, path, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@pytest.fixture
def films(daemon: Daemon, upstream: Upstream) -> Iterator[Any]:
    name = f"side_{uuid.uuid4().hex[:8]}"
    with upstream.client() as direct, pymongo.MongoClient(daemon.uri) as client:
        direct[name].films.insert_many([{"_id": i} for i in range(5)] + [{"_id": "a b&c"}])
        daemon.catch_up()  # what is found out of a collection is void when its creation is told
        yield client[name].films
        direct.drop_database(name)


def hit(daemon: Daemon, films: Any, filter_: Document) -> bool:
    """Reads, and says whether it came from memory."""
    name = "mongocached_requests_total"
    before = daemon.metrics().value(name, outcome="l1_hit")
    films.find_one(filter_)
    return daemon.metrics().value(name, outcome="l1_hit") > before


def warm(daemon: Daemon, films: Any, *filters: Document) -> None:
    for filter_ in filters:
        wait_until(lambda f=filter_: hit(daemon, films, f), what=f"{filter_} to be cached")


def test_every_metric_is_there(daemon: Daemon) -> None:
    assert set(NAMES) - daemon.metrics().names() == set()


def test_health_and_readiness(servers: Servers) -> None:
    upstream = servers.upstream()
    daemon = servers.daemon(upstream.uri)
    assert ask(daemon, "GET", "/healthz")[0] == 200
    assert ask(daemon, "GET", "/readyz")[0] == 200
    upstream.kill()
    wait_until(lambda: ask(daemon, "GET", "/readyz")[0] == 503, deadline=30, what="not ready")
    assert ask(daemon, "GET", "/readyz")[1].strip()
    assert ask(daemon, "GET", "/healthz")[0] == 200
    assert daemon.metrics().value("mongocached_upstream_up") == 0
    upstream.start_again()
    wait_until(lambda: ask(daemon, "GET", "/readyz")[0] == 200, deadline=30, what="ready again")


def test_status_tells_what_is_going_on(daemon: Daemon, films: Any) -> None:
    warm(daemon, films, {"_id": 1})
    status = daemon.status()
    (mine,) = [ns for ns in status["namespaces"] if ns["namespace"] == films.full_name]
    assert mine["hits"] >= 1
    assert mine["entries"] >= 1
    assert mine["collection"] == "plain"
    assert status["upstream"]["available"] is True
    assert status["redis"]["up"] is True
    assert status["freshness"]["mode"] == "bounded"
    assert status["freshness"]["max_lag_ms"] == 1000
    assert status["stream"]["up"]
    assert status["stream"]["lag_ms"] < 1000
    assert status["uptime_seconds"] > 0


@pytest.mark.parametrize("id_", [3, "a b&c"])
def test_one_document_is_dropped(daemon: Daemon, films: Any, id_: Any) -> None:
    warm(daemon, films, {"_id": 1}, {"_id": id_})
    before = daemon.metrics().value("mongocached_invalidations_total", source="admin")
    query = urllib.parse.urlencode(
        {"ns": films.full_name, "id": json.dumps(id_)}, quote_via=urllib.parse.quote
    )
    assert daemon.post(f"/invalidate?{query}")["entries"] == 1
    assert hit(daemon, films, {"_id": 1})
    assert not hit(daemon, films, {"_id": id_})
    assert daemon.metrics().value("mongocached_invalidations_total", source="admin") == before + 1


def test_a_namespace_is_dropped(daemon: Daemon, films: Any) -> None:
    warm(daemon, films, {"_id": 1}, {"_id": 2})
    assert daemon.post(f"/invalidate?ns={films.full_name}")["entries"] >= 2
    assert not hit(daemon, films, {"_id": 1})


def test_everything_is_dropped(daemon: Daemon, films: Any) -> None:
    warm(daemon, films, {"_id": 1}, {"_id": 2})
    assert daemon.post("/flush")["entries"] >= 2
    assert not hit(daemon, films, {"_id": 2})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        *(("GET", "/", 404), ("GET", "/nothing", 404), ("POST", "/metrics", 405)),
        *(("GET", "/flush", 405), ("GET", "/invalidate?ns=a.b", 405), ("POST", "/invalidate", 400)),
        *(("POST", "/invalidate?ns=a", 400), ("POST", "/invalidate?ns=a.b&id={", 400)),
        *(("POST", "/invalidate?ns=a.b&id=%7B", 400), ("POST", "/invalidate?ns=a.b&x=1", 400)),
    ],
)
def test_what_is_refused(daemon: Daemon, method: str, path: str, status: int) -> None:
    assert ask(daemon, method, path)[0] == status


def test_cross_site_requests_are_refused(daemon: Daemon, films: Any) -> None:
    warm(daemon, films, {"_id": 1})
    assert ask(daemon, "POST", "/flush", Sec_Fetch_Site="cross-site")[0] == 403
    assert ask(daemon, "POST", "/flush", Origin="http://evil.example")[0] == 403
    assert ask(daemon, "POST", "/flush", Host="evil.example")[0] == 403
    assert hit(daemon, films, {"_id": 1})


def test_token(servers: Servers, upstream: Upstream) -> None:
    daemon = servers.daemon(upstream.uri, config='[http]\ntoken = "s3cret-token"\n')
    assert ask(daemon, "POST", "/flush")[0] == 401
    assert ask(daemon, "POST", "/flush", Authorization="Bearer wrong")[0] == 401
    assert ask(daemon, "POST", "/flush", Authorization="Bearer s3cret-token")[0] == 200
    assert ask(daemon, "GET", "/metrics")[0] == 200
    assert "s3cret-token" not in daemon.process.log_text() + json.dumps(daemon.status())
