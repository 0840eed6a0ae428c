"""The quick programs of `make compat`: each driver takes the same steps through the daemon."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pymongo
import pytest
from support.paths import MONGOSH, NODE_MODULES, ROOT
from support.servers import Daemon, Servers

PROGRAMS = ROOT / "tests/compat/programs"
SECONDS = 100


@pytest.fixture(scope="module")
def c_program(tmp_path_factory: pytest.TempPathFactory) -> str:
    """libmongoc is there: the daemon is built with it."""
    program = tmp_path_factory.mktemp("c") / "c_steps"
    ask = ["pkg-config", "--cflags", "--libs", "libmongoc-1.0"]
    flags = subprocess.check_output(ask, text=True)
    compile_ = ["cc", "-std=gnu11", "-O0", PROGRAMS / "c_steps.c", "-o", program, *flags.split()]
    subprocess.run(compile_, check=True)
    return str(program)


def command(driver: str, uri: str, name: str, topology: str, c_program: str) -> list[str]:
    last = [uri, name, topology]
    python, node = [sys.executable, "-B"], ["node"]
    commands: dict[str, list[str]] = {
        "pymongo": [*python, str(PROGRAMS / "pymongo_steps.py"), *last],
        "pymongo async": [*python, str(PROGRAMS / "pymongo_async_steps.py"), "pymongo", *last],
        "motor": [*python, str(PROGRAMS / "pymongo_async_steps.py"), "motor", *last],
        "node": [*node, str(PROGRAMS / "node_steps.js"), *last],
        "mongoose": [*node, str(PROGRAMS / "mongoose_steps.js"), *last],
        "mongosh": [str(MONGOSH), uri, "--quiet", "--file", str(PROGRAMS / "mongosh_steps.js")],
        "libmongoc": [c_program, *last],
    }
    return commands[driver]


@pytest.fixture(scope="module")
def own_daemon(servers_of_module: Servers) -> Daemon:
    """With an upstream that nobody else has: the programs arm fail points."""
    servers = servers_of_module
    return servers.daemon(servers.upstream().uri, servers.redis().uri)


@pytest.fixture(scope="module")
def servers_of_module() -> Iterator[Servers]:
    with Servers() as servers:
        yield servers


@pytest.mark.parametrize(
    "driver", ["pymongo", "pymongo async", "motor", "node", "mongoose", "mongosh", "libmongoc"]
)
def test_driver_takes_every_step(
    own_daemon: Daemon, tmp_path: Path, c_program: str, driver: str
) -> None:
    name = f"steps_{uuid.uuid4().hex[:8]}"
    uri = f"{own_daemon.uri}?directConnection=false"  # else libmongoc shows no topology
    argv = command(driver, uri, name, "Sharded", c_program)
    assert shutil.which(argv[0]), argv[0]
    told = {"DATABASE": name, "TOPOLOGY": "Sharded", "NODE_PATH": str(NODE_MODULES)}
    environment = {**os.environ, **told, "HOME": str(tmp_path)}
    ended = subprocess.run(
        argv, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    lines = ended.stdout.splitlines()
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert not [line for line in lines if line.startswith("not ok")], ended.stdout
    assert len([line for line in lines if line.startswith("ok - ")]) >= 13, ended.stdout


@pytest.mark.parametrize("command_name", ["hello", "isMaster"])
def test_hello_tells_the_time_of_the_cluster(own_daemon: Daemon, command_name: str) -> None:
    """A driver that gossips takes its first $clusterTime from here."""
    with pymongo.MongoClient(own_daemon.uri) as client:
        reply = client.admin.command(command_name)
        assert reply["$clusterTime"]["clusterTime"] == reply["operationTime"]
        client.test.things.insert_one({})
        assert client.admin.command(command_name)["operationTime"] > reply["operationTime"]
