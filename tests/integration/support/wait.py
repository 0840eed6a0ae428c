"""Waiting by asking: the only sleep in the tests is the pause between two questions."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(
    condition: Callable[[], T],
    deadline: float = 10.0,
    what: str = "",
    pause: float = 0.01,
    ignore: tuple[type[Exception], ...] = (),
) -> T:
    """Asks `condition` until its answer is true and returns it; AssertionError after `deadline` s.

    Exceptions named in `ignore` count as "not yet".
    """
    end = time.monotonic() + deadline
    last: Exception | None = None
    while True:
        try:
            if answer := condition():
                return answer
        except ignore as error:
            last = error
        if time.monotonic() >= end:
            subject = what or getattr(condition, "__name__", "the condition")
            raise AssertionError(f"not within {deadline} s: {subject}") from last
        time.sleep(pause)
