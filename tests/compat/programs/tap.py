"""How the Python programs tell what their steps found: TAP, one line a step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def step(name: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        print(f"not ok - {name} # {type(error).__name__}: {' '.join(str(error).split())}"[:500])
    else:
        print(f"ok - {name}", flush=True)


def check(condition: object, what: str) -> None:
    """`assert`, also under `python -O`."""
    if not condition:
        raise AssertionError(what)
