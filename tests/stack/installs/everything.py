"""The list of all installs and the command that makes them: the Odoo part and the Go part side by side."""

import argparse
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.stack.installs import databases, debian, golang, n8n, odoo
from tests.stack.installs.cache import Install, InstallError, ensure, root, say

ALL = (debian.POSTGRES, odoo.ODOO, odoo.VENV, odoo.OCA, databases.TINY, databases.LAB, databases.PEOPLE, *golang.ALL)
ASKED_FOR = (n8n.N8N,)  # only when they are named
BY_NAME = {install.name: install for install in (*ALL, *ASKED_FOR)}


def main(arguments: Sequence[str]) -> int:
    """Install what is named, or everything; 0 when all of it is there."""
    parser = argparse.ArgumentParser(description=f"Install the servers of the stack tests into {root()}.")
    parser.add_argument(
        "names", nargs="*", metavar="name", help=f"one or more of: {', '.join(BY_NAME)} (default: all but n8n)"
    )
    names = parser.parse_args(arguments).names
    if unknown := sorted(set(names) - set(BY_NAME)):
        parser.error(f"unknown: {', '.join(unknown)}")
    return install_all(with_needs(names or [install.name for install in ALL]))


def with_needs(names: Sequence[str]) -> list[Install]:
    """The named installs and what they need, in the order in which they are made."""
    wanted = set(names)
    for install in reversed(ALL):
        if install.name in wanted:
            wanted.update(install.needs)
    return [install for install in (*ALL, *ASKED_FOR) if install.name in wanted]


def install_all(wanted: Sequence[Install]) -> int:
    """Make them, one thread for each chain; the first fault of a chain ends that chain."""
    started = time.monotonic()
    root().mkdir(parents=True, exist_ok=True)
    chains = [[one for one in wanted if one.chain == chain] for chain in ("odoo", golang.CHAIN, n8n.CHAIN)]
    with ThreadPoolExecutor(len(chains)) as pool:
        faults = [fault for fault in pool.map(_chain, chains) if fault]
    for fault in faults:
        say("fault", fault)
    say("all", f"{len(wanted)} installs, {len(faults)} faults, in {root()}", started)
    return 1 if faults else 0


def _chain(installs: Sequence[Install]) -> str | None:
    for install in installs:
        try:
            (golang.ensure_go if install.chain == golang.CHAIN else ensure)(install)
        except (InstallError, OSError, RuntimeError) as error:
            return f"{install.name}: {error}"
    return None
