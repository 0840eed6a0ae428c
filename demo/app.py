#!/usr/bin/env python3
"""A small movie site on PyMongo. It knows nothing of caching: where it is pointed is all that
changes between a run against the cluster and a run through mongocached.

    app.py URI visits    the same visitors every time: reads by popularity, a rating now and then
    app.py URI steady    the most popular things again and again, for --seconds
"""

from __future__ import annotations

from typing import Any

import pymongo
from workload import run_from_command_line

Document = dict[str, Any]
BEST_FIRST = [("imdb.rating", -1), ("imdb.votes", -1), ("_id", 1)]
LISTED = {"title": 1, "year": 1, "genres": 1, "imdb": 1}


class MovieSite:
    def __init__(self, uri: str) -> None:
        self.database = pymongo.MongoClient(uri).sample_mflix
        self.movies = self.database.movies
        self.theaters = self.database.theaters

    def film(self, film_id: Any) -> Document | None:
        return self.movies.find_one({"_id": film_id})

    def films(self, film_ids: list[Any]) -> list[Document]:
        return list(self.movies.find({"_id": {"$in": film_ids}}))

    def best_of(self, genre: str) -> list[Document]:
        return list(self.movies.find({"genres": genre}, LISTED).sort(BEST_FIRST).limit(10))

    def place(self, zip_code: str) -> Document | None:
        return self.theaters.find_one({"location.address.zipcode": zip_code})

    def years_of(self, genre: str) -> list[Document]:
        match = {"$match": {"genres": genre}}
        group = {"$group": {"_id": "$year", "films": {"$sum": 1}}}
        return list(self.movies.aggregate([match, group, {"$sort": {"_id": 1}}]))

    def rate(self, film_id: Any, votes: int) -> int:
        return self.movies.update_one(
            {"_id": film_id}, {"$inc": {"imdb.votes": votes}}
        ).matched_count


if __name__ == "__main__":
    run_from_command_line(MovieSite)
