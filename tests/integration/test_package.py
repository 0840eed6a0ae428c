"""The Debian package: built, installed, run, upgraded, removed, purged; nothing is left."""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.installed import InstalledRoot
from support.paths import ROOT, daemon_binary
from support.wait import wait_until

BUILD = ROOT / "build/release"
SETTINGS = "/etc/mongocached/mongocached.toml"
pytestmark = pytest.mark.timeout(300)


def run(*words: str | Path, **options: str | Path) -> str:
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=200, check=False, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def needs(*tools: str) -> None:
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (scripts/install-deps installs them)")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs("cpack", "dpkg-deb", "dpkg-shlibdeps")
    if not (BUILD / "CPackConfig.cmake").is_file():
        pytest.skip("the package is made of a configured build/release: run `make`")
    folder = tmp_path_factory.mktemp("package")
    run("cpack", "--config", BUILD / "CPackConfig.cmake", "-B", folder)
    (made,) = folder.glob("*.deb")
    return made


def successor(package: Path, folder: Path, version: str, settings: str = "") -> Path:
    """The package as of a later version, with these lines at the end of its settings."""
    tree = folder / version
    run("dpkg-deb", "-R", package, tree)
    control = tree / "DEBIAN/control"
    control.write_text(
        re.sub(r"^Version: .*", f"Version: {version}", control.read_text(), flags=re.M)
    )
    with (tree / SETTINGS.removeprefix("/")).open("a") as file:
        file.write(settings)
    made = folder / f"mongocached_{version}.deb"
    run("dpkg-deb", "--root-owner-group", "-Zgzip", "-b", tree, made)
    return made


@pytest.fixture
def root() -> Iterator[InstalledRoot]:
    needs("unshare", "nsenter", "ip")
    if os.geteuid() != 0:
        pytest.skip("installing a package, even into an overlay, needs root")
    with InstalledRoot() as root:
        yield root


def install(root: InstalledRoot, package: Path, *options: str) -> None:
    shutil.copy(package, root.path("/tmp"))
    done = root.run("dpkg", *options, "--install", f"/tmp/{package.name}")
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def serving(root: InstalledRoot, log: Path) -> Iterator[None]:
    """The installed program as its unit starts it, on the ports of the installed settings."""
    unit = root.path("/usr/lib/systemd/system/mongocached.service").read_text()
    command = re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE)[1].split()
    as_user = ["setpriv", "--reuid=mongocached", "--regid=mongocached", "--clear-groups"]
    with log.open("wb") as out:
        child = subprocess.Popen(root.words(*as_user, *command), stdout=out, stderr=out)
    try:
        ask = [*as_user, *command, "--health-check", "healthz"]
        wait_until(lambda: child.poll() is not None or root.run(*ask).returncode == 0, deadline=30)
        assert child.poll() is None, log.read_text()
        yield
        child.send_signal(signal.SIGTERM)
        assert child.wait(30) == 0
    finally:
        child.kill()
        child.wait()


def test_life_of_an_installation(root: InstalledRoot, package: Path, tmp_path: Path) -> None:
    assert root.changed() == set()
    install(root, package)
    assert root.run("mongocached", "--version").stdout == f"mongocached {version_of(package)}\n"
    assert {"usr/bin/mongocached", SETTINGS.removeprefix("/"), "etc/passwd"} <= root.changed()
    settings = root.path(SETTINGS)
    group = root.run("stat", "--format=%U:%G", SETTINGS).stdout.strip()
    assert (group, stat.S_IMODE(settings.stat().st_mode)) == ("root:mongocached", 0o640)
    verified = root.run("systemd-analyze", "verify", "mongocached.service", "mongocached.socket")
    assert (verified.returncode, verified.stderr) == (0, "")
    assert root.run("systemctl", "enable", "mongocached.service").returncode == 0
    with serving(root, tmp_path / "log"):
        pass

    # An administrator's change outlives an upgrade, also where the package's settings changed.
    mine = settings.read_text() + '\n[[collection]]\nnamespace = "shop.items"\nttl = "1h"\n'
    settings.write_text(mine)
    install(root, successor(package, tmp_path, "9.0.0-1"))
    assert settings.read_text() == mine
    newer = successor(package, tmp_path, "9.0.1-1", settings="# new here\n")
    install(root, newer, "--force-confold")
    assert settings.read_text() == mine
    assert "# new here" in Path(f"{settings}.dpkg-dist").read_text()
    assert stat.S_IMODE(settings.stat().st_mode) == 0o640
    with serving(root, tmp_path / "log"):
        pass

    assert root.run("dpkg", "--remove", "mongocached").returncode == 0
    assert settings.read_text() == mine
    assert not root.path("/usr/bin/mongocached").exists()
    purged = root.run("dpkg", "--purge", "mongocached")
    assert (purged.returncode, purged.stderr) == (0, "")
    assert root.changed() == set()


def version_of(package: Path) -> str:
    return run("dpkg-deb", "-f", package, "Version").strip().split("-")[0]


def test_every_document_is_where_its_links_lead(package: Path, tmp_path: Path) -> None:
    run("dpkg-deb", "-x", package, tmp_path)
    shared = tmp_path / "usr/share/doc/mongocached"
    documents = {path.name for path in (ROOT / "docs").glob("*.md")}
    assert {path.name for path in (shared / "docs").iterdir()} == documents
    for file in (shared / "docs").iterdir():
        links = re.findall(r"\]\(([\w-]+\.md)[)#]", file.read_text())
        assert [link for link in links if not (file.parent / link).is_file()] == [], file.name
    links = re.findall(r"\]\((docs/[\w-]+\.md)[)#]", (shared / "README.md").read_text())
    assert links
    assert [link for link in links if not (shared / link).is_file()] == []
    unit = (tmp_path / "usr/lib/systemd/system/mongocached.service").read_text()
    (named,) = re.findall(r"^Documentation=.*file:///(\S+)", unit, re.MULTILINE)
    assert (tmp_path / named).is_file()


def test_lintian_finds_nothing(package: Path) -> None:
    needs("lintian")
    # That tag is for Debian's own archive.
    tags = "initial-upload-closes-no-bugs"
    out = run(
        "lintian", "--allow-root", "--fail-on=error,warning", "--suppress-tags", tags, package
    )
    assert out == ""


def test_manual_page_has_every_flag() -> None:
    flags = set(re.findall(r"--[a-z-]+", run(daemon_binary(), "--help")))
    assert "--health-check" in flags
    page = (ROOT / "docs/mongocached.1").read_text().replace("\\-", "-")
    assert {flag for flag in flags if flag not in page} == set()


def test_maintainer_scripts_are_plain_sh() -> None:
    for name in ("postinst", "prerm", "postrm"):
        script = ROOT / "packaging/debian" / name
        run("sh", "-n", script)
        assert os.access(script, os.X_OK)
