#!/usr/bin/env python3
"""Reads the same documents again and again, one after the other, and prints what a read takes.

    cache_aside.py --uri mongodb://...                     PyMongo and nothing else
    cache_aside.py --uri mongodb://... --redis redis://... a cache as users write it by hand

Prints one JSON object. Started by bench/run.py, which puts an upstream far away.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import bson
import pymongo
import redis

Read = Callable[[bson.ObjectId], dict[str, Any] | None]
TIME_TO_LIVE = 300
AT_ONCE = 16  # while the cache is warmed, which is not measured


def directly(uri: str) -> Read:
    documents = pymongo.MongoClient(uri).bench.docs
    return lambda name: documents.find_one({"_id": name})


def with_cache_aside(uri: str, redis_url: str) -> Read:
    documents = pymongo.MongoClient(uri).bench.docs
    cache = redis.Redis.from_url(redis_url)

    def read(name: bson.ObjectId) -> dict[str, Any] | None:
        key = f"docs:{name}"
        if held := cache.get(key):
            return bson.decode(held)
        document = documents.find_one({"_id": name})
        if document is not None:
            cache.setex(key, TIME_TO_LIVE, bson.encode(document))
        return document

    return read


def digest_of(read: Read, names: list[bson.ObjectId]) -> str:
    """Reads each document once; the same documents give the same digest."""
    digest = hashlib.blake2b(digest_size=8)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for document in pool.map(read, names):
            digest.update(bson.encode({"": document}))
    return digest.hexdigest()


def measure(read: Read, names: list[bson.ObjectId], seconds: float) -> list[float]:
    """Microseconds of each read."""
    took = []
    end = time.perf_counter() + seconds
    for name in itertools.cycle(names):
        started = time.perf_counter()
        read(name)
        ended = time.perf_counter()
        took.append((ended - started) * 1e6)
        if ended > end:
            break
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--uri", required=True)
    parser.add_argument("--redis", metavar="URL")
    parser.add_argument("--documents", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=3.0)
    options = parser.parse_args()
    names = [bson.ObjectId(f"{number:024x}") for number in range(options.documents)]
    read = with_cache_aside(options.uri, options.redis) if options.redis else directly(options.uri)
    digest = digest_of(read, names)
    took = sorted(measure(read, names, options.seconds))
    found = {
        "digest": digest,
        "reads": len(took),
        "p50_us": took[len(took) // 2],
        "p99_us": took[int(len(took) * 0.99)],
        "reads_per_second": len(took) / sum(took) * 1e6,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
