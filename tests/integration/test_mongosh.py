"""mongosh works through the daemon as it does without."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database
from support.paths import MONGOSH

Document = dict[str, Any]


class Shell:
    def __init__(self, uri: str, database: str, home: Path) -> None:
        base, _, options = uri.partition("?")
        self._uri = f"{base}{database}?{options}"
        self._environment = {**os.environ, "HOME": str(home)}

    def evaluate(self, script: str) -> Any:
        """The value of the script's last expression, by way of JSON."""
        words = [MONGOSH, self._uri, "--quiet", "--norc", "--json=relaxed", "--eval", script]
        done = subprocess.run(
            list(map(str, words)),
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def shell(uri: str, database: Database[Document], tmp_path: Path) -> Shell:
    return Shell(uri, database.name, tmp_path)


def test_shell_writes_and_reads(shell: Shell) -> None:
    script = """
        db.things.insertMany([{_id: 1, n: 1}, {_id: 2, n: 2}, {_id: 3, n: 3}]);
        const twice = [db.things.findOne({_id: 1}), db.things.findOne({_id: 1})];
        db.things.updateOne({_id: 1}, {$set: {n: 10}});
        const top = db.things.find({}, {_id: 0}).sort({n: -1}).limit(2).toArray();
        ({twice, after: db.things.findOne({_id: 1}), top, count: db.things.countDocuments()})
    """
    assert shell.evaluate(script) == {
        "twice": [{"_id": 1, "n": 1}] * 2,
        "after": {"_id": 1, "n": 10},
        "top": [{"n": 10}, {"n": 3}],
        "count": 3,
    }


def test_shell_walks_a_long_cursor(shell: Shell) -> None:
    script = """
        db.many.insertMany([...Array(1000).keys()].map(i => ({_id: i})));
        db.many.find().batchSize(10).toArray().length
    """
    assert shell.evaluate(script) == 1000


def test_shell_uses_a_transaction(shell: Shell) -> None:
    script = """
        db.things.insertOne({_id: 1, n: 1});
        const session = db.getMongo().startSession();
        const things = session.getDatabase(db.getName()).things;
        session.startTransaction();
        things.updateOne({_id: 1}, {$set: {n: 2}});
        const seen = [things.findOne({_id: 1}).n, db.things.findOne({_id: 1}).n];
        session.commitTransaction();
        [...seen, db.things.findOne({_id: 1}).n]
    """
    assert shell.evaluate(script) == [2, 1, 2]


def test_shell_asks_about_the_server(shell: Shell) -> None:
    script = "[db.version().length > 0, db.adminCommand('ping').ok, db.hello().isWritablePrimary]"
    assert shell.evaluate(script) == [True, 1, True]
