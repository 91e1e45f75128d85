"""Every address that a Python process asks for, whatever library does: by an audit hook of the interpreter.

`watched(folder)` is the environment that installs it, in that process and its children of Python, before any of theirs
is imported. Connections that C code makes by itself (gRPC) are not seen.
"""

import json
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

HOOK = """
import json, os, sys
_file = os.open(os.environ["PYTHON_ADDRESSES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
_PLACES = {"socket.connect": 1, "socket.sendto": 1, "socket.sendmsg": 1, "socket.getaddrinfo": 0,
           "socket.gethostbyname": 0, "socket.gethostbyaddr": 0}
def _watch(event, given, places=_PLACES, write=os.write, file=_file, dumps=json.dumps):
    if event in places:
        write(file, (dumps([event, given[places[event]:]], default=str) + "\\n").encode())
sys.addaudithook(_watch)
"""


def watched(folder: Path) -> dict[str, str]:
    """The environment of a process whose addresses are to be in the folder."""
    (folder / "sitecustomize.py").write_text(HOOK)
    return {"PYTHONPATH": str(folder), "PYTHON_ADDRESSES": str(folder / "addresses")}


def asked(folder: Path) -> set[tuple[str, int]]:
    """(host, port) of each connection, (name, 0) of each name that was looked up; sockets of the machine are none."""
    found = set()
    for line in (folder / "addresses").read_text().splitlines():
        event, given = json.loads(line)
        address = given[0]
        if event in {"socket.connect", "socket.sendto", "socket.sendmsg"}:
            if isinstance(address, list):
                found.add((str(address[0]), int(address[1])))
        elif not _is_number(str(address)):
            found.add((str(address), 0))
    return found


def _is_number(host: str) -> bool:
    """Whether it is no name: to look it up asks nobody."""
    with suppress(ValueError):
        return bool(ip_address(host))
    return False
