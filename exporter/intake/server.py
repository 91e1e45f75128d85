"""The intake as a whole: the tokens of a state folder, what receives, the listener."""

import ssl
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Protocol

from exporter.errors import StoreBroken
from exporter.intake.app import create_app
from exporter.intake.complaining import Complaints
from exporter.intake.gate import Environ, Gate, headers
from exporter.intake.hooks import Hooks, Served
from exporter.intake.otlp_logs import LARGEST as LARGEST_LOGS
from exporter.intake.otlp_logs import Lines
from exporter.intake.receiving import Receiving
from exporter.intake.reviewing import Reviewing, keeper
from exporter.intake.senders import Network, sender
from exporter.listening import Listener
from exporter.store.protocols import Inbox
from exporter.store.review import Review
from exporter.tokens import DETECTORS, LOGS, OPERATOR, Tokens

SOURCE = "detectors/findings"
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - to recognise it
THREADS = 32  # that wait for one fsync together: each request has a thread until it is durable

# Forwarded headers are ours to judge (senders.py): waitress knows one proxy by its address, and no network.
TUNING = {"max_request_body_size": LARGEST_LOGS, "threads": THREADS, "clear_untrusted_proxy_headers": False}


class Intaken(Inbox, Protocol):
    """An Inbox beside which requests can be set aside."""

    @property
    def review(self) -> Review:
        """Where they are kept."""


class Intake(Listener):
    """Takes what the detectors found; `receiving` counts and says when the store is broken."""

    says = "events are taken on"
    private = False  # the detectors post to it, each request with a token

    def __init__(
        self,
        inbox: Intaken,
        at: tuple[Path, tuple[str, int]],
        *,
        now: Callable[[], Mapping[str, datetime]],
        appended: Callable[[], None],
        served: Mapping[str, Served] | None = None,
        tenants: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        trusted: Sequence[Network] = (),
    ) -> None:
        """Listen. `at`: the state folder, where the tokens live, and the address; the others as in Receiving and Hooks.

        `trusted`: the proxies whose word is believed on who sent a request.

        Raises:
            ConfigError: the address is taken.
        """
        folder, address = at
        digests = Tokens(folder).digests
        self.receiving = Receiving(
            inbox=inbox, now=now, appended=appended, source=SOURCE, digests=partial(digests, DETECTORS)
        )
        complaints = Complaints(sender=lambda environ: self._sender(environ, trusted), monotonic=monotonic)
        self.hooks = Hooks(
            inbox=inbox,
            now=now,
            appended=appended,
            served=served or {},
            digests=digests,
            keep=keeper(inbox.review),
            complaints=complaints,
        )
        self.lines = Lines(
            inbox=inbox, now=now, appended=appended, tenants=tenants or {}, digests=partial(digests, LOGS)
        )
        reviewing = Reviewing(review=inbox.review, hooks=self.hooks, digests=partial(digests, OPERATOR))
        app = create_app(self.receiving, self.lines, reviewing, complaints)
        app.wsgi_app = Gate(app.wsgi_app, self.hooks)  # type: ignore[method-assign,assignment] # the seam
        super().__init__(
            app,
            address,
            tuning=TUNING,
            refused=self.receiving.refused_before,
            tls=tls,
        )

    def serve(self, served: Mapping[str, Served], tenants: Mapping[str, str]) -> None:
        """Take webhooks of these and lines of Odoo's log of these from now on."""
        self.hooks.served = served
        self.lines.tenants = tenants

    def _sender(self, environ: Environ, trusted: Sequence[Network]) -> str:
        return sender(self.peer(environ), headers(environ), trusted)

    @property
    def fault(self) -> StoreBroken | None:
        """That the store is broken, if a request met that."""
        return self.receiving.fault or self.hooks.fault or self.lines.fault

    @property
    def url(self) -> str:
        """Where the detectors post to (`/v1/events` below it): on this machine, without TLS."""
        host, port = self.inner
        host = EVERYWHERE.get(host, host)
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"
