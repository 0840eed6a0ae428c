"""Who visits the movie site, and how long each visit takes. The same visitors in every run."""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import bson

PAGE = 20
# How often each kind of request comes, of 100.
MIX = {"film": 48, "films": 12, "best_of": 15, "place": 15, "years_of": 8, "rate": 2}
READS_KEPT_WARM = ("film", "films", "best_of", "place")


class Site(Protocol):
    database: Any

    def film(self, film_id: Any) -> Any: ...
    def films(self, film_ids: list[Any]) -> Any: ...
    def best_of(self, genre: str) -> Any: ...
    def place(self, zip_code: str) -> Any: ...
    def years_of(self, genre: str) -> Any: ...
    def rate(self, film_id: Any, votes: int) -> Any: ...


@dataclass(frozen=True)
class Visit:
    kind: str
    arguments: tuple[Any, ...]

    @property
    def key(self) -> str:
        return f"{self.kind} {self.arguments}"


@dataclass(frozen=True)
class Record:
    """One request: what it was, whether its like came before, the time it took, its answer."""

    kind: str
    first: bool
    milliseconds: float
    digest: str
    key: str


class Catalogue:
    """What can be asked for, the most popular first."""

    def __init__(self, site: Site) -> None:
        by_votes = site.database.movies.find({"imdb.votes": {"$gt": 0}}, {"_id": 1})
        self.films = [film["_id"] for film in by_votes.sort([("imdb.votes", -1), ("_id", 1)])]
        self.genres = sorted(site.database.movies.distinct("genres"))
        cities = site.database.theaters.find({"theaterId": {"$gte": 140_000}}).sort("theaterId", 1)
        self.zip_codes = [city["location"]["address"]["zipcode"] for city in cities.limit(500)]


def zipf(random_source: random.Random, things: Sequence[Any], exponent: float = 1.1) -> Any:
    """One of them; the n-th is n^exponent times rarer than the first."""
    weights = list(itertools.accumulate(rank**-exponent for rank in range(1, len(things) + 1)))
    return random_source.choices(things, cum_weights=weights)[0]


def visits(catalogue: Catalogue, count: int, seed: int = 2024) -> Iterator[Visit]:
    source = random.Random(seed)
    for kind in source.choices(list(MIX), list(MIX.values()), k=count):
        yield Visit(kind, arguments_for(kind, catalogue, source))


def arguments_for(kind: str, catalogue: Catalogue, source: random.Random) -> tuple[Any, ...]:
    if kind == "films":
        start = zipf(source, range(0, 400, PAGE))
        return (catalogue.films[start : start + PAGE],)
    if kind in ("best_of", "years_of"):
        return (zipf(source, catalogue.genres),)
    if kind == "place":
        return (zipf(source, catalogue.zip_codes),)
    film_id = zipf(source, catalogue.films)
    return (film_id, source.randrange(1, 100)) if kind == "rate" else (film_id,)


def most_popular(catalogue: Catalogue) -> list[Visit]:
    """A few things of each kind, by turns in the proportions of the mix."""
    films = [Visit("film", (film_id,)) for film_id in catalogue.films[:12]]
    pages = [Visit("films", (catalogue.films[start : start + PAGE],)) for start in (0, 20, 40)]
    best = [Visit("best_of", (genre,)) for genre in catalogue.genres[:3]]
    place = [Visit("place", (zip_code,)) for zip_code in catalogue.zip_codes[:3]]
    return [
        visit for turn in zip(*[iter(films)] * 4, pages, best, place, strict=True) for visit in turn
    ]


def timed(site: Site, visit: Visit, first: bool) -> Record:
    call: Callable[..., Any] = getattr(site, visit.kind)
    started = time.perf_counter()
    answer = call(*visit.arguments)
    milliseconds = (time.perf_counter() - started) * 1000
    digest = hashlib.blake2b(bson.encode({"": answer}), digest_size=8).hexdigest()
    return Record(visit.kind, first, round(milliseconds, 4), digest, visit.key)


def run_visits(site: Site, count: int) -> list[Record]:
    seen: set[str] = set()
    records = []
    for visit in visits(Catalogue(site), count):
        records.append(timed(site, visit, visit.key not in seen))
        seen.add(visit.key)
    return records


def run_steady(site: Site, seconds: float) -> list[Record]:
    popular = most_popular(Catalogue(site))
    for visit in popular:
        timed(site, visit, first=True)
    records = []
    end = time.monotonic() + seconds
    for visit in itertools.cycle(popular):
        records.append(timed(site, visit, first=False))
        if time.monotonic() > end:
            return records
    raise AssertionError("unreachable")


def run_from_command_line(site: Callable[[str], Site]) -> None:
    """Runs the workload and prints one record a line as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("uri")
    parser.add_argument("mode", choices=("visits", "steady"))
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=5.0)
    options = parser.parse_args()
    opened = site(options.uri)
    if options.mode == "visits":
        records = run_visits(opened, options.count)
    else:
        records = run_steady(opened, options.seconds)
    for record in records:
        print(json.dumps(vars(record)))
