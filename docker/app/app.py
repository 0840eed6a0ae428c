"""A program that knows MongoDB and nothing of mongocached: it looks places up, and changes some."""

from __future__ import annotations

import itertools
import os
import statistics
import time

import pymongo

PLACES = 1000
READS_A_WRITE = 50


def main() -> None:
    rounds = int(os.environ.get("ROUNDS", "0"))  # 0: for ever
    with pymongo.MongoClient(os.environ["MONGODB_URI"]) as client:
        places = client.example.places
        for number in range(PLACES):
            places.update_one({"_id": number}, {"$setOnInsert": {"visits": 0}}, upsert=True)
        for round_number in range(1, rounds + 1) if rounds else itertools.count(1):
            times = []
            for number in range(READS_A_WRITE):
                begun = time.perf_counter()
                places.find_one({"_id": (round_number + number) % PLACES})
                times.append(time.perf_counter() - begun)
            places.update_one({"_id": round_number % PLACES}, {"$inc": {"visits": 1}})
            median = statistics.median(times) * 1e6
            print(f"round {round_number}: median read {median:.0f} us", flush=True)
            if not rounds:
                time.sleep(1)


if __name__ == "__main__":
    main()
