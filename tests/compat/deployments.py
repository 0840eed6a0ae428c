"""The deployments that users have: the programs again, with the daemon set up for each of them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from outcomes import FAILED, PASSED, Outcome, Outcomes
from programs import NOTHING_STRAIGHT, Compared, Program, has_passed, run
from stack import Side, member_of, mongos_at, set_name_of
from support.posing import posing_daemon
from support.servers import ROOT_PASSWORD, ROOT_USER, Servers
from support.tls import make_certificates
from wire_tap import WireTap

ROOT_LOGIN = f"{ROOT_USER}:{ROOT_PASSWORD}@"
IN_ADMIN = "&authSource=admin"
APP, APP_PASSWORD = "app", "app-secret"
POOLED = f"""
[upstream]
auth = "pooled"
[[user]]
name = "{APP}"
password = "{APP_PASSWORD}"
"""
TRUST_PASSWORD = "changeit"
COMPRESSORS = ["zlib", "snappy", "zstd"]


@dataclass(frozen=True)
class Deployment:
    name: str
    what: str
    through: Callable[[Servers], Side]
    has_users: bool = False
    """Judged by what passes straight to an upstream that wants a login."""
    logs_in_here: bool = False
    """By the daemon's mechanisms: a driver too old for the upstream's is judged without users."""
    compressor: str = ""
    """Both directions have to use it."""


@dataclass
class Deployed:
    deployment: Deployment
    compared: list[Compared] = field(default_factory=list)


def deployments() -> list[Deployment]:
    return [
        Deployment("users", "drivers log in to the upstream, by SCRAM", _users, has_users=True),
        Deployment(
            "pooled",
            '`upstream.auth = "pooled"`, drivers log in as a `[[user]]`',
            _pooled,
            has_users=True,
            logs_in_here=True,
        ),
        Deployment("TLS", "`listen.tls_cert`, its authority trusted by the driver", _tls),
        *(
            Deployment(name, f"`compressors={name}`", _compressed(name), compressor=name)
            for name in COMPRESSORS
        ),
        Deployment("replica_set", '`listen.pose = "replica_set"`, `replicaSet` in the URI', _pose),
    ]


def deploy(plain: Sequence[Compared], names: Sequence[str]) -> Iterator[Deployed]:
    """`plain` is what became of the programs without any of this; no `names` are all."""
    there = [one.program for one in plain if not one.skipped]
    without = {one.program.name: one.straight for one in plain}
    chosen = [one for one in deployments() if not names or one.name in names]
    with_users = _with_login(there) if any(one.has_users for one in chosen) else {}
    for deployment in chosen:
        straight = without
        if deployment.has_users:
            able = {name: found for name, found in with_users.items() if has_passed(found)}
            straight = (without if deployment.logs_in_here else {}) | able
        yield Deployed(deployment, _through(deployment, there, straight))


def _through(
    deployment: Deployment, there: Sequence[Program], straight: dict[str, Outcomes]
) -> list[Compared]:
    """A program that runs out of time may leave a stuck upstream: those behind it get another."""
    found: list[Compared] = []
    while len(found) < len(there):
        with Servers() as servers:
            side = deployment.through(servers)
            for program in there[len(found) :]:
                found.append(_one(deployment, side, program, straight))
                if found[-1].ran_out_of_time:
                    break
            if side.tap:
                side.tap.stop()
    return found


def _one(
    deployment: Deployment, side: Side, program: Program, all_straight: dict[str, Outcomes]
) -> Compared:
    straight = all_straight.get(program.name, {})
    why = program.cannot.get(deployment.name, "")
    if not has_passed(straight):
        return Compared(program, skipped=why or NOTHING_STRAIGHT)
    if why and not deployment.has_users:
        return Compared(program, skipped=why)
    through = run(program, side)
    if not side.tap:
        return Compared(program, straight, through)
    compression = compression_outcome(side.tap.take(), deployment.compressor)
    wanted = straight | {"compression": Outcome(PASSED)}
    return Compared(program, wanted, through | {"compression": compression})


def compression_outcome(seen: dict[str, set[str]], wanted: str) -> Outcome:
    other = [way for way, names in seen.items() if names != {wanted}]
    if not other:
        return Outcome(PASSED)
    return Outcome(FAILED, "; ".join(f"{way}: {sorted(seen[way]) or 'plain'}" for way in other))


def _with_login(programs: Sequence[Program]) -> dict[str, Outcomes]:
    with Servers() as servers:
        upstream = servers.upstream(auth=True)
        side = member_of(upstream.port, set_name_of(upstream), ROOT_LOGIN, IN_ADMIN)
        return {program.name: run(program, side) for program in programs}


def _users(servers: Servers) -> Side:
    daemon = servers.daemon(servers.upstream(auth=True).uri, servers.redis().uri)
    return mongos_at(daemon.port, ROOT_LOGIN, IN_ADMIN)


def _pooled(servers: Servers) -> Side:
    upstream, redis = servers.upstream(auth=True), servers.redis()
    daemon = servers.daemon(upstream.uri, redis.uri, config=POOLED)
    return mongos_at(daemon.port, f"{APP}:{APP_PASSWORD}@", IN_ADMIN)


def _tls(servers: Servers) -> Side:
    """Java knows no tlsCAFile: it is told of a trust store."""
    made = make_certificates(servers.folder())
    config = f'[listen]\ntls_cert = "{made.certificate}"\ntls_key = "{made.key}"\n'
    daemon = servers.daemon(servers.upstream().uri, servers.redis().uri, config=config)
    trust = {"javax.net.ssl.trustStore": _trust_store(made.ca)}
    trust["javax.net.ssl.trustStorePassword"] = TRUST_PASSWORD
    java = " ".join(f"-D{name}={value}" for name, value in trust.items())
    side = mongos_at(daemon.port, more=f"&tls=true&tlsCAFile={made.ca}")
    return Side(side.port, side.uri, side.topology, {"JAVA_TOOL_OPTIONS": java})


def _trust_store(ca: Path) -> Path:
    store = ca.with_suffix(".p12")
    if shutil.which("keytool"):
        words = ["keytool", "-importcert", "-noprompt", "-file", ca, "-keystore", store]
        words += ["-storetype", "PKCS12", "-storepass", TRUST_PASSWORD, "-alias", "authority"]
        subprocess.run(words, check=True, capture_output=True)
    return store


def _compressed(name: str) -> Callable[[Servers], Side]:
    def through(servers: Servers) -> Side:
        daemon = servers.daemon(servers.upstream().uri, servers.redis().uri)
        tap = WireTap(daemon.port)
        side = mongos_at(tap.port, more=f"&compressors={name}")
        return Side(side.port, side.uri, side.topology, tap=tap)

    return through


def _pose(servers: Servers) -> Side:
    upstream = servers.upstream()
    daemon = posing_daemon(servers, upstream.uri, servers.redis().uri)
    return member_of(daemon.port, set_name_of(upstream))
