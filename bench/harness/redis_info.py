"""What Redis says of its memory."""

import socket

SAMPLES = 200


class RedisInfo:
    """One connection, which is opened anew for each question."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, *words: str) -> list:
        """The answers to one command."""
        return self.ask_all([words])

    def ask_all(self, commands: list[tuple[str, ...]]) -> list:
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as s:
            for words in commands:
                parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
                s.sendall(f"*{len(words)}\r\n{''.join(parts)}".encode())
            stream = s.makefile("rb")
            return [read_reply(stream) for _ in commands]

    def used_bytes(self) -> int:
        """Everything that Redis has allocated."""
        text = self.ask("INFO", "memory")[0]
        line = next(line for line in text.splitlines() if line.startswith("used_memory:"))
        return int(line.partition(":")[2])

    def keys(self) -> int:
        return self.ask("DBSIZE")[0]

    def one_entry(self) -> dict[str, float]:
        """Of some entries, the mean bytes of the stored form, of the value's key, and of the
        record."""
        cursor, names = "0", []
        while len(names) < SAMPLES:
            cursor, found = self.ask("SCAN", cursor, "MATCH", "*:v:*", "COUNT", "1000")[0]
            names += found
            if cursor == "0":
                break
        names = names[:SAMPLES]
        stored = self.ask_all([("STRLEN", name) for name in names])
        values = self.ask_all([("MEMORY", "USAGE", name) for name in names])
        records = [name.replace(":v:", ":r:") for name in names]
        used = self.ask_all([("MEMORY", "USAGE", name) for name in records])
        return {
            "stored": sum(stored) / len(names),
            "value": sum(values) / len(names),
            "record": sum(n or 0 for n in used) / len(names),
        }


def read_reply(stream) -> object:  # noqa: ANN001
    line = stream.readline().decode().rstrip("\r\n")
    kind, rest = line[:1], line[1:]
    if kind == "-" or not kind:
        raise OSError(f"Redis answered {line!r}")
    if kind == ":":
        return int(rest)
    if kind == "$":
        return None if rest == "-1" else stream.read(int(rest) + 2)[:-2].decode(errors="replace")
    if kind == "*":
        return [read_reply(stream) for _ in range(int(rest))]
    return rest
