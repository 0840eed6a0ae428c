"""Real films and places, shaped like the collections of Atlas's `sample_mflix`.

The films are vega-datasets' movies.json, the places its airports.csv and zipcodes.csv.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from bson import ObjectId
from pymongo.database import Database

from .paths import REAL_DATA

DATABASE = "sample_mflix"
Document = dict[str, Any]


def object_id(kind: int, number: int) -> ObjectId:
    """The same document has the same `_id` in every run."""
    return ObjectId(f"{kind:08x}{number:016x}")


def films(folder: Path = REAL_DATA) -> list[Document]:
    rows = json.loads((folder / "movies.json").read_text())
    return [film(number, row) for number, row in enumerate(rows)]


def film(number: int, row: Document) -> Document:
    released = datetime.strptime(row["Release Date"], "%b %d %Y")
    document: Document = {
        "_id": object_id(1, number),
        "title": str(row["Title"] or "(untitled)"),  # some titles are numbers, one is missing
        "year": released.year,
        "released": released,
        "genres": [row["Major Genre"]] if row["Major Genre"] else [],
        "directors": [row["Director"]] if row["Director"] else [],
        "rated": row["MPAA Rating"],
        "runtime": row["Running Time min"],
        "distributor": row["Distributor"],
        "gross": {"us": as_int(row["US Gross"]), "worldwide": as_int(row["Worldwide Gross"])},
        "budget": as_int(row["Production Budget"]),
    }
    if row["IMDB Rating"] is not None:
        document["imdb"] = {"rating": float(row["IMDB Rating"]), "votes": row["IMDB Votes"]}
    if row["Rotten Tomatoes Rating"] is not None:
        document["tomatoes"] = {"critic": {"meter": row["Rotten Tomatoes Rating"]}}
    return document


def as_int(value: Any) -> int | None:
    return None if value is None else int(value)


def places(folder: Path = REAL_DATA) -> Iterator[Document]:
    with (folder / "airports.csv").open(newline="") as file:
        for number, row in enumerate(csv.DictReader(file)):
            yield place(number, row, street=row["name"], code=row["iata"])
    with (folder / "zipcodes.csv").open(newline="") as file:
        for number, row in enumerate(csv.DictReader(file), start=100_000):
            yield place(number, row, street=row["county"], code=row["zip_code"])


def place(number: int, row: dict[str, str], street: str, code: str) -> Document:
    point = {"type": "Point", "coordinates": [float(row["longitude"]), float(row["latitude"])]}
    address = {"street1": street, "city": row["city"], "state": row["state"], "zipcode": code}
    return {
        "_id": object_id(2, number),
        "theaterId": number,
        "location": {"address": address, "geo": point},
    }


def load_films(database: Database[Document]) -> list[Document]:
    """Puts all films in, in place of what was there."""
    documents = films()
    database.movies.drop()
    database.movies.insert_many(documents)
    database.movies.create_index([("genres", 1), ("imdb.rating", -1)])
    return documents


def load_places(database: Database[Document]) -> list[Document]:
    documents = list(places())
    database.theaters.drop()
    database.theaters.insert_many(documents, ordered=False)
    database.theaters.create_index("location.address.zipcode")
    return documents
