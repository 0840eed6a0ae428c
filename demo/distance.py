#!/usr/bin/env python3
"""Puts distance between two programs: a TCP relay that delays each direction by half of a round
trip. Order and throughput stay as they are.

    distance.py --listen 127.0.0.1:27018 --to 127.0.0.1:27017 --round-trip 50
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "integration"))
from support.relay import Relay


def address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


async def serve(listen: tuple[str, int], to: tuple[str, int], round_trip: float) -> None:
    relay = Relay(*to, delay=round_trip / 2)
    await relay.listen(*listen)
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--listen", type=address, required=True, metavar="HOST:PORT")
    parser.add_argument("--to", type=address, required=True, metavar="HOST:PORT")
    parser.add_argument("--round-trip", type=float, default=50.0, metavar="MILLISECONDS")
    options = parser.parse_args()
    asyncio.run(serve(options.listen, options.to, options.round_trip / 1000))


if __name__ == "__main__":
    main()
