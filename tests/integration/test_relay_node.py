"""The Node driver and Mongoose work through the daemon as they do without."""

from __future__ import annotations

import os
import subprocess
import uuid
from pathlib import Path

import pytest
from support.paths import NODE_MODULES

SCRIPTS = Path(__file__).parent / "node"


@pytest.mark.parametrize("script", ["driver.js", "mongoose.js"])
def test_node_script_passes(uri: str, script: str) -> None:
    environment = {**os.environ, "NODE_PATH": str(NODE_MODULES)}
    words = ["node", SCRIPTS / script, uri, f"test_{uuid.uuid4().hex[:12]}"]
    done = subprocess.run(
        list(map(str, words)), env=environment, capture_output=True, text=True, timeout=90
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "all passed"
