"""A sender of webhooks in a process of its own: `python -m tests.bench.hook_client URL SENDERS PACE...`.

Each PACE is `requests/seconds` (sent evenly, on time) or `requests` (as fast as answers come). Every request is signed
beforehand. Prints one JSON object: seconds, and every latency in milliseconds, measured from when it was to be sent.
"""

import asyncio
import base64
import hmac
import json
import os
import sys
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

SECRET = b"bench-secret"
PAYLOAD = {"type": "order.paid", "filler": "x" * 900}


def requests(path: str, host: str, number: int) -> Iterator[bytes]:
    """Signed requests of a kilobyte each, as they go over the wire."""
    stamp = str(int(time.time()))
    for one in range(number):
        name = f"evt_{os.getpid()}_{one}"
        raw = json.dumps({"id": name, **PAYLOAD}).encode()
        signed = hmac.digest(SECRET, f"{name}.{stamp}.".encode() + raw, "sha256")
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(raw)}\r\n"
            f"webhook-id: {name}\r\nwebhook-timestamp: {stamp}\r\n"
            f"webhook-signature: v1,{base64.b64encode(signed).decode()}\r\n\r\n"
        )
        yield head.encode() + raw


async def sender(place: tuple[str, int], queue: "asyncio.Queue[tuple[float, bytes]]", took: list[float]) -> None:
    """One connection that is kept: send what is next, wait for its answer."""
    reader, writer = await asyncio.open_connection(*place)
    while True:
        due, request = await queue.get()
        if not request:
            break
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 202"):
            raise SystemExit(f"not taken: {head[:200]!r}")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        await reader.readexactly(length)
        took.append((time.perf_counter() - due) * 1000)
    writer.close()


async def play(url: str, senders: int, paces: list[str]) -> dict[str, object]:
    """Send everything; when all was answered, how long it took."""
    parts = urlsplit(url)
    host, port = str(parts.hostname), int(parts.port or 80)
    parsed = [(int(number), float(seconds or 0)) for number, _, seconds in (pace.partition("/") for pace in paces)]
    total = sum(number for number, _ in parsed)
    ready = list(requests(parts.path, f"{host}:{port}", total))
    queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
    took: list[float] = []
    tasks = [asyncio.create_task(sender((host, port), queue, took)) for _ in range(senders)]
    began = due = time.perf_counter()
    for number, seconds in parsed:
        for _ in range(number):
            if seconds:
                await asyncio.sleep(max(due - time.perf_counter(), 0))
            queue.put_nowait((due if seconds else time.perf_counter(), ready.pop()))
            due += seconds / number if seconds else 0
    for _ in tasks:
        queue.put_nowait((0.0, b""))
    await asyncio.gather(*tasks)
    return {"seconds": time.perf_counter() - began, "took": took}


def main() -> None:
    """Play and print."""
    url, senders, *paces = sys.argv[1:]
    print(json.dumps(asyncio.run(play(url, int(senders), paces))))


if __name__ == "__main__":
    main()
