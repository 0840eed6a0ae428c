"""A pytest plugin: one JSON line a finished test into $COMPAT_REPORT, so that a run that is cut
short has told what it found until then."""

from __future__ import annotations

import json
import os

import pytest


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when != "call" and report.passed:
        return
    reason = ""
    if report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.wasxfail)
    elif report.failed:
        reason = report.longreprtext.strip().splitlines()[-1] if report.longreprtext else ""
        crash = getattr(report.longrepr, "reprcrash", None)
        reason = crash.message if crash else reason
    line = {"test": report.nodeid, "result": report.outcome, "reason": reason[:400]}
    with open(os.environ["COMPAT_REPORT"], "a") as file:
        file.write(json.dumps(line) + "\n")
