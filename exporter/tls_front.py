"""TLS before a listener: waitress speaks plain HTTP, so this ends TLS and hands bytes on, both ways.

It keeps no request: what stalls is ended by the listener behind it, and a handshake has its own time. Whoever opens
connections and says nothing displaces others who say nothing.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from threading import Thread

log = logging.getLogger(__name__)
HANDSHAKE = 10.0  # seconds
PIECE = 64 * 1024  # bytes that are held of one connection, each way
MOST = 2_000  # connections at once, behind their handshake
SILENT = 256  # before it
PAUSE = 0.1  # seconds until another one is accepted, where no descriptor is left
Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


class TlsFront:
    """Serves TLS on a listening socket from `start` to `stop`; `connect` opens a connection to what is behind it.

    Attributes:
        peers: whose bytes come from one of our ports: what is behind sees us alone.
    """

    def __init__(self, listening: socket.socket, context: ssl.SSLContext, connect: Connect) -> None:
        self._listening, self._context, self._connect = listening, context, connect
        self._loop = asyncio.new_event_loop()
        self._silent: dict[socket.socket, asyncio.Task[None]] = {}  # before their handshake, the oldest first
        self._tasks: set[asyncio.Task[None]] = set()  # the loop alone would forget them
        self._open: set[asyncio.StreamWriter] = set()
        self.peers: dict[int, str] = {}
        self._thread = Thread(target=self._run, name="tls", daemon=True)

    def start(self) -> None:
        """Begin to accept."""
        self._thread.start()

    def alive(self) -> bool:
        """Whether it accepts."""
        return self._thread.is_alive()

    def stop(self, grace: float) -> bool:
        """Accept nothing more, close what is open; True if that was done in time."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(grace)
        else:
            self._listening.close()
            self._loop.close()
        return not self._thread.is_alive()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.set_exception_handler(lambda _loop, about: log.debug("tls: %s", about.get("message")))
        self._listening.settimeout(0)
        self._tasks.add(self._loop.create_task(self._accept()))
        self._loop.run_forever()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._listening.close()
        self._loop.close()

    async def _accept(self) -> None:
        """Take connections; of those that say nothing the oldest make room, as an honest handshake takes no time."""
        while True:
            try:
                client, _ = await self._loop.sock_accept(self._listening)
            except OSError as error:  # no descriptor is left: some will be closed
                log.debug("tls: %s", error)
                await asyncio.sleep(PAUSE)
                continue
            if len(self._silent) >= SILENT:
                self._silent.pop(next(iter(self._silent))).cancel()
            task = self._silent[client] = self._loop.create_task(self._greeted(client))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            await asyncio.sleep(0)  # it begins, so that it closes its socket also when it is cancelled

    async def _greeted(self, client: socket.socket) -> None:
        """The handshake of a connection, then all the rest of it."""
        reader = asyncio.StreamReader(limit=PIECE)
        protocol = asyncio.StreamReaderProtocol(reader)
        try:
            transport, _ = await self._loop.connect_accepted_socket(
                lambda: protocol, client, ssl=self._context, ssl_handshake_timeout=HANDSHAKE
            )
        except OSError as error:
            log.debug("tls: %s", error)
            return
        finally:
            self._silent.pop(client, None)
        await self._serve(reader, asyncio.StreamWriter(transport, protocol, reader, self._loop))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client."""
        if len(self._open) >= MOST:
            writer.transport.abort()
            return
        self._open.add(writer)
        try:
            behind_reader, behind_writer = await self._connect()
            port = _port(behind_writer)
            self.peers[port] = str(writer.get_extra_info("peername")[0])
            try:
                ways = (_pump(reader, behind_writer), _pump(behind_reader, writer))
                each = [asyncio.ensure_future(way) for way in ways]
                # The answer's end is the connection's end; a client that only stops to send still gets its answer.
                await each[1]
                each[0].cancel()
            finally:
                self.peers.pop(port, None)
                behind_writer.close()
        except OSError as error:
            log.debug("tls: %s", error)
        finally:
            self._open.discard(writer)
            with contextlib.suppress(OSError, ssl.SSLError):
                writer.close()


def _port(behind: asyncio.StreamWriter) -> int:
    """Our own port of a connection; 0 where it has none (a socket of this machine)."""
    name = behind.get_extra_info("sockname")
    return int(name[1]) if isinstance(name, tuple) else 0


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hand on until the end, no faster than the other side takes it."""
    with contextlib.suppress(OSError, ssl.SSLError):
        while piece := await reader.read(PIECE):
            writer.write(piece)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
