#!/usr/bin/env python3
"""The same site with a cache written by hand: what mongocached saves an application from.

Every read has its key, every write must know all keys that it spoils, and a reader that was slow
may still put back what a writer has just deleted.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import bson
import redis
from app import Document, MovieSite
from pymongo import ReturnDocument
from workload import run_from_command_line

TIME_TO_LIVE = 300


class CacheAsideSite(MovieSite):
    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        self.cache = redis.Redis.from_url(os.environ["REDIS_URL"])

    def film(self, film_id: Any) -> Document | None:
        return self._through(f"film:{film_id}", lambda: super(CacheAsideSite, self).film(film_id))

    def films(self, film_ids: list[Any]) -> list[Document]:
        cached = self.cache.mget([f"film:{film_id}" for film_id in film_ids])
        found = {i: unpack(data) for i, data in zip(film_ids, cached, strict=True) if data}
        if absent := [film_id for film_id in film_ids if film_id not in found]:
            pipeline = self.cache.pipeline(transaction=False)
            for document in super().films(absent):
                found[document["_id"]] = document
                pipeline.set(f"film:{document['_id']}", pack(document), ex=TIME_TO_LIVE)
            pipeline.execute()
        return [found[film_id] for film_id in sorted(set(film_ids)) if found.get(film_id)]

    def best_of(self, genre: str) -> list[Document]:
        return self._through(f"best:{genre}", lambda: super(CacheAsideSite, self).best_of(genre))

    def place(self, zip_code: str) -> Document | None:
        return self._through(
            f"place:{zip_code}", lambda: super(CacheAsideSite, self).place(zip_code)
        )

    def rate(self, film_id: Any, votes: int) -> int:
        film = self.movies.find_one_and_update(
            {"_id": film_id},
            {"$inc": {"imdb.votes": votes}},
            projection={"genres": 1},
            return_document=ReturnDocument.AFTER,
        )
        if film is None:
            return 0
        self.cache.delete(f"film:{film_id}", *(f"best:{genre}" for genre in film["genres"]))
        return 1

    def _through(self, key: str, read: Callable[[], Any]) -> Any:
        if data := self.cache.get(key):
            return unpack(data)
        answer = read()
        self.cache.set(key, pack(answer), ex=TIME_TO_LIVE)
        return answer


def pack(answer: Any) -> bytes:
    return bson.encode({"answer": answer})


def unpack(data: bytes) -> Any:
    return bson.decode(data)["answer"]


if __name__ == "__main__":
    run_from_command_line(CacheAsideSite)
