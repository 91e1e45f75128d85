"""What was synced, and only that, is acknowledged: the listener over the store that ships, on a disk held up."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from select import select
from threading import Event as Flag
from time import monotonic

from exporter.config import Secret
from exporter.intake.hooks import Served
from exporter.intake.server import Intake
from exporter.store import open_store
from exporter.store.sqlite import SqliteStore
from tests.contract.store_contract import A
from tests.fakes.disk import Disk, installed
from tests.unit.intake.test_hooks import NOW, SECRET, parse

SERVED = Served(tenant=A, name="shop", scheme="bearer", secrets=(Secret(SECRET),), parse=parse)
BODY = b'{"delivery": "1"}'
QUIET = 0.4  # seconds in which an answer would have come, once the sync has begun
SOON = 10.0  # seconds in which a busy machine has come so far


@contextmanager
def listening(folder: Path, made: Callable[[SqliteStore], object]) -> Iterator[tuple[Intake, Disk]]:
    """A hook that takes, and the disk its store lies on."""
    with installed() as disk:
        store = open_store(folder / "store.db")
        made(store)
        now = {A: NOW}
        intake = Intake(
            store, (folder, ("127.0.0.1", 0)), now=lambda: now, appended=lambda: None, served={"shop": SERVED}
        )
        intake.start()
        try:
            yield intake, disk
        finally:
            intake.stop()
            store.close()


def answered(intake: Intake, disk: Disk) -> tuple[bytes, bytes]:
    """What came while the disk was held in its sync, and what came after that."""
    go = Flag()
    held = Flag()

    def watch(what: str, name: str) -> None:
        if what == "sync" and name.endswith("-wal"):
            held.set()
            go.wait(10)

    disk.watch = watch
    with socket.create_connection((intake.host, intake.port), timeout=SOON) as client:
        head = f"POST /hooks/shop HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\n"
        client.sendall(f"{head}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY)
        end = monotonic() + SOON
        while monotonic() < end and not held.is_set() and not select([client], [], [], 0.01)[0]:
            pass
        client.settimeout(QUIET)
        try:
            before = client.recv(100)
        except TimeoutError:
            before = b""
        synced = held.is_set()
        go.set()
        client.settimeout(5)
        after = before or client.recv(100)
    assert synced or before, "the disk was never asked to sync"
    return before, after


def test_no_byte_of_an_answer_before_the_sync(tmp_path: Path) -> None:
    """R2: while the write-ahead log is not synced a webhook has no answer; then it is 202."""
    with listening(tmp_path, lambda _: None) as (intake, disk):
        before, after = answered(intake, disk)
    assert (before, after[:12]) == (b"", b"HTTP/1.1 202")


def test_without_the_sync_the_answer_would_have_come(tmp_path: Path) -> None:
    """The control: with `synchronous=normal` the same webhook is acknowledged though nothing was synced."""
    with listening(tmp_path, lambda store: store._writer._connection.pragma("synchronous", "normal")) as (intake, disk):
        before, _ = answered(intake, disk)
    assert before.startswith(b"HTTP/1.1 202")
