"""Docker and Kubernetes files, as far as they can be judged where no container engine is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.paths import CHECKERS, ROOT
from support.servers import Daemon

DOCKER = ROOT / "docker"
DOCKERFILES = [DOCKER / "Dockerfile", DOCKER / "app/Dockerfile"]


def run(tool: str | Path, *words: str | Path) -> str:
    path = shutil.which(tool)
    if path is None:
        pytest.skip(f"{tool} is not installed (scripts/install-deps installs it)")
    done = subprocess.run([path, *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("file", DOCKERFILES, ids=lambda f: str(f.relative_to(DOCKER)))
def test_dockerfiles_are_clean(file: Path) -> None:
    assert run(CHECKERS / "hadolint", "--no-color", file) == ""


def test_image_is_built_from_what_the_build_needs() -> None:
    """The first stage installs the libraries that scripts/install-deps installs to build with."""
    dockerfile = DOCKERFILES[0].read_text()
    first_stage = dockerfile.split("FROM ")[1]
    libraries = set(re.findall(r"\b(?:lib[\w.-]+|prometheus-cpp)-dev\b", first_stage))
    listed = (
        (ROOT / "scripts/install-deps").read_text().split("debian_packages=(")[1].split("\n)")[0]
    )
    for_tests = {"libgtest-dev", "libgmock-dev", "libbenchmark-dev", "libclang-rt-16-dev"}
    for_tests |= {"liburing-dev"}
    assert (
        libraries == set(re.findall(r"\b(?:lib[\w.-]+|prometheus-cpp)-dev\b", listed)) - for_tests
    )


def test_build_context_holds_what_the_build_reads(tmp_path: Path) -> None:
    """CMake finds every source and every file to install in what .dockerignore lets through."""
    context, build = tmp_path / "context", tmp_path / "build"
    for path in re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE):
        copy = shutil.copytree if (ROOT / path).is_dir() else shutil.copy
        (context / path).parent.mkdir(parents=True, exist_ok=True)
        copy(ROOT / path, context / path)
    run("cmake", "-S", context, "-B", build, "-G", "Ninja", "-DMONGOCACHED_TESTS=OFF")
    run("ninja", "-C", build, "-n")  # says what is missing
    installed = (build / "cmake_install.cmake").read_text()
    named = re.findall(rf'"({re.escape(str(context))}/[^"]+\.\w+)"', installed)
    assert len(named) > 5
    assert [path for path in named if not Path(path).is_file()] == []


def test_compose_file_is_understood() -> None:
    out = run("docker-compose", "-f", DOCKER / "compose.yaml", "config")
    for service in ("app", "mongocached", "mongo", "redis", "prometheus", "grafana"):
        assert f"\n  {service}:\n" in out
    mounted = re.findall(rf"- {re.escape(str(DOCKER))}(\S+?):", out)
    assert mounted
    assert all((DOCKER / path.lstrip("/")).exists() for path in mounted)


@pytest.mark.parametrize("version", ["1.29", "1.34"])
def test_kubernetes_objects_keep_to_the_schema(version: str) -> None:
    words = ["-k", version, "--strict", *DOCKER.glob("kubernetes/*.yaml")]
    assert "passed for resource deployment/app" in run(CHECKERS / "kubernetes-validate", *words)


def mebibytes(size: str) -> int:
    number, unit = re.fullmatch(r"(\d+)([MG])iB?", size).groups()  # type: ignore[union-attr]
    return int(number) * {"M": 1, "G": 1024}[unit]


def test_what_the_sidecar_may_hold_fits_into_its_limit() -> None:
    """What docs/overload.md adds up."""
    text = (DOCKER / "kubernetes/sidecar.yaml").read_text()
    given = dict(re.findall(r'name: MONGOCACHED_(\w+), value: "?([^"}]+)"?\}', text))
    limit = text.split("name: mongocached\n          image:")[1].split("limits: {memory: ")[1]
    connections = int(given["LISTEN_MAX_CONNECTIONS"]) * 28 // 1024
    threads = int(given["LISTEN_THREADS"]) * 16
    held = mebibytes(given["CACHE_MEMORY"]) + mebibytes(given["LISTEN_MAX_BUFFERED"])
    assert held + connections + threads + 48 <= mebibytes(limit.split("}")[0])


def test_example_program_runs(daemon: Daemon) -> None:
    done = subprocess.run(
        [sys.executable, DOCKER / "app/app.py"], capture_output=True, text=True, timeout=60,
        env={**os.environ, "MONGODB_URI": daemon.uri, "ROUNDS": "2"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"(round \d: median read \d+ us\n){2}", done.stdout)
