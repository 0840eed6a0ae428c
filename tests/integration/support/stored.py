"""Entries as the daemon stores them in Redis, to be read and forged (cache/stored_form.hpp)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import redis

MAGIC = b"mcd2"
HEADER = 72
KEY_SIZE_AT = 68
POLYNOMIAL = 0x82F63B78  # CRC-32C, reflected


def _table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (POLYNOMIAL if byte & 1 else 0)
        table.append(byte)
    return table


TABLE = _table()


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def value_of(stored: bytes) -> bytes:
    """The value's BSON; fails if it is not what the daemon would take."""
    assert stored[:4] == MAGIC
    (checksum,) = struct.unpack_from("<I", stored, 4)
    assert checksum == crc32c(stored[8:])
    (key_size,) = struct.unpack_from("<I", stored, KEY_SIZE_AT)
    return stored[HEADER + key_size :]


def values(client: redis.Redis[Any]) -> Iterator[tuple[bytes, bytes]]:
    """Redis key and stored bytes of every entry."""
    for key in client.scan_iter("*:v:*"):
        if stored := client.get(key):
            yield key, stored


def holding(client: redis.Redis[Any], text: bytes) -> list[bytes]:
    """Redis keys of the entries whose value has this text in it."""
    return [key for key, stored in values(client) if text in value_of(stored)]


def forge(client: redis.Redis[Any], old: bytes, new: bytes) -> int:
    """Puts other bytes into every value that has `old` in it, with the right checksum; how many."""
    assert len(old) == len(new)
    forged = 0
    for key, stored in list(values(client)):
        value = value_of(stored)
        if old not in value:
            continue
        body = stored[8 : len(stored) - len(value)] + value.replace(old, new)
        client.set(key, MAGIC + struct.pack("<I", crc32c(body)) + body, keepttl=True)
        forged += 1
    return forged
