"""Where things are."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
COMPAT_DEPS = Path(os.environ.get("COMPAT_DEPS") or ROOT / ".deps/compat")
PROGRAMS = HERE / "programs"
sys.path.insert(0, str(ROOT / "tests/integration"))
