"""A TCP relay that puts distance between two programs, and faults on request."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
CHUNK = 1 << 16
IN_FLIGHT_LIMIT = 64 << 20  # bytes a direction: enough for 50 ms at 10 Gbit/s


class DelayLine:
    """One direction of one connection: every byte leaves `delay` s after it came.

    Bytes that follow each other closely leave as closely: order and throughput stay, only time is
    added. The end of the stream travels through the line too.
    """

    def __init__(
        self, relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._relay = relay
        self._reader = reader
        self._writer = writer
        self._due: deque[tuple[float, bytes]] = deque()
        self._held = 0
        self._changed = asyncio.Event()

    async def run(self) -> None:
        await asyncio.gather(self._fill(), self._drain())

    async def _fill(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            await self._relay.flowing.wait()
            chunk = await self._reader.read(CHUNK)
            self._due.append((clock() + self._relay.delay, chunk))
            self._held += len(chunk)
            self._changed.set()
            if not chunk:
                return
            while self._held > IN_FLIGHT_LIMIT:
                await asyncio.sleep(0.001)

    async def _drain(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            while not self._due:
                self._changed.clear()
                await self._changed.wait()
            when, chunk = self._due.popleft()
            if (left := when - clock()) > 0:
                await asyncio.sleep(left)
            await self._relay.flowing.wait()
            if not chunk:
                if self._writer.can_write_eof():
                    self._writer.write_eof()
                else:  # TLS ends both directions at once
                    self._writer.close()
                return
            self._writer.write(chunk)
            await self._writer.drain()
            self._held -= len(chunk)


class Relay:
    """Listens on a port of its own and connects each client to the target."""

    def __init__(
        self, host: str, port: int, delay: float = 0.0, tls: ssl.SSLContext | None = None
    ) -> None:
        self.target = (host, port)
        self.delay = delay
        """Seconds added to each direction: half the round trip. May change at any time."""
        self.tls = tls
        """Clients have to speak it; the target never does. Holds from the next `listen` on."""
        self.connections = 0
        """How many clients have connected so far."""
        self.turns_away: Callable[[int], bool] = lambda _: False
        """Whether the connection of that number is closed as soon as it is there."""
        self.flowing = asyncio.Event()
        self.flowing.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def listen(self, host: str = "127.0.0.1", port: int = 0) -> int:
        self._server = await asyncio.start_server(
            self._serve, host, port, backlog=1024, ssl=self.tls
        )
        return self._server.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Ends listening: new clients are refused, present ones stay."""
        if self._server:
            self._server.close()
            self._server = None

    def cut(self) -> None:
        """Resets every connection."""
        for writer in list(self._writers):
            reset_on_close(writer)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.turns_away(self.connections):
            writer.transport.abort()
            return
        self._writers.add(writer)
        far_writer: asyncio.StreamWriter | None = None
        try:
            far_reader, far_writer = await asyncio.open_connection(*self.target)
            self._writers.add(far_writer)
            await asyncio.gather(
                DelayLine(self, reader, far_writer).run(),
                DelayLine(self, far_reader, writer).run(),
            )
        except (OSError, asyncio.CancelledError):
            for end in filter(None, (writer, far_writer)):
                reset_on_close(end)
        finally:
            for end in filter(None, (writer, far_writer)):
                self._writers.discard(end)
                end.transport.abort()


def reset_on_close(writer: asyncio.StreamWriter) -> None:
    """The peer sees a reset instead of an orderly end."""
    linger = b"\1\0\0\0\0\0\0\0"
    with contextlib.suppress(OSError, AttributeError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


class RelayThread:
    """A relay on a thread of its own, for tests that are not asynchronous."""

    def __init__(
        self,
        port: int,
        delay: float = 0.0,
        host: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
        at: str = "127.0.0.1",
    ) -> None:
        self._at = at
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._relay = self._call(lambda: Relay(host, port, delay, tls))
        self.port: int = self._wait(self._relay.listen(at))

    @property
    def address(self) -> str:
        return f"[{self._at}]:{self.port}" if ":" in self._at else f"{self._at}:{self.port}"

    @property
    def uri(self) -> str:
        """Past the relay there is one server: what it says of its own address is not followed."""
        return f"mongodb://{self.address}/?directConnection=true"

    @property
    def connections(self) -> int:
        return self._relay.connections

    def set_delay(self, seconds: float) -> None:
        self._relay.delay = seconds

    def turn_away(self, which: Callable[[int], bool]) -> None:
        """Closes connections at once, by their number; present ones stay. `let_in` ends it."""

        def begin() -> None:
            self._relay.turns_away = which

        self._call(begin)

    def let_in(self) -> None:
        self.turn_away(lambda _: False)

    def set_target(self, port: int, host: str = "127.0.0.1") -> None:
        """New connections go there; present ones stay where they are."""

        def move() -> None:
            self._relay.target = (host, port)

        self._call(move)

    def set_tls(self, tls: ssl.SSLContext) -> None:
        """For new connections; present ones stay as they are."""

        async def renew() -> None:
            self._relay.refuse()
            self._relay.tls = tls
            await self._relay.listen(self._at, self.port)

        self._wait(renew())

    def cut(self) -> None:
        """Resets every connection; new ones are taken."""
        self._call(self._relay.cut)

    def stall(self) -> None:
        """Bytes stop flowing both ways; nothing is closed. `flow` lets them go on."""
        self._call(self._relay.flowing.clear)

    def flow(self) -> None:
        self._call(self._relay.flowing.set)

    def refuse(self) -> None:
        """New connections are refused until `accept`."""
        self._call(self._relay.refuse)

    def accept(self) -> None:
        self._wait(self._relay.listen(self._at, self.port))

    def stop(self) -> None:
        if self._thread.is_alive():
            self._wait(self._shut_down())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def _shut_down(self) -> None:
        self._relay.refuse()
        self._relay.cut()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _call(self, function: Callable[[], T]) -> T:
        async def called() -> T:
            return function()

        return self._wait(called())

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)
