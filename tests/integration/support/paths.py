"""Where the programs are that tests and demo run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
DEPS = ROOT / ".deps"
NODE_MODULES = DEPS / "node" / "node_modules"
MONGOSH = NODE_MODULES / ".bin" / "mongosh"
CHECKERS = DEPS / "checkers" / "bin"
REAL_DATA = NODE_MODULES / "vega-datasets" / "data"


def daemon_binary() -> Path:
    """The daemon under test: $MONGOCACHED, else the release build."""
    path = Path(os.environ.get("MONGOCACHED") or ROOT / "build/release/daemon/mongocached")
    if not path.is_file():
        raise FileNotFoundError(f"no daemon at {path}: build it with `make`, or set MONGOCACHED")
    return path


def mongod_binary() -> str | None:
    """A real mongod, if there is one: $MONGOD, else PATH."""
    return os.environ.get("MONGOD") or shutil.which("mongod")


def matcher_probe() -> Path:
    """Built beside the unit tests: tests/tools/matcher_probe.cpp."""
    return ROOT / "build/release/tests/matcher_probe"
