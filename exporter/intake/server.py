"""The intake as a whole: the token of a state folder, what receives, the listener."""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from exporter.intake.app import create_app
from exporter.intake.receiving import LARGEST, Receiving
from exporter.intake.tokens import digest, token
from exporter.listening import Listener
from exporter.store.protocols import Inbox

HOST = "127.0.0.1"  # whoever may post here is on this machine
SOURCE = "detectors/findings"


class Intake(Listener):
    """Takes what the detectors found; `receiving` counts and says when the store is broken."""

    says = "events are taken on"

    def __init__(
        self,
        inbox: Inbox,
        at: tuple[Path, int],
        *,
        now: Callable[[], Mapping[str, datetime]],
        appended: Callable[[], None],
    ) -> None:
        """Listen. `at`: the state folder, where the token lives, and the port; the others as in Receiving.

        Raises:
            ConfigError: the address is taken, or the token cannot be used.
        """
        folder, port = at
        self.receiving = Receiving(inbox=inbox, source=SOURCE, digest=digest(token(folder)), now=now, appended=appended)
        super().__init__(
            create_app(self.receiving),
            (HOST, port),
            tuning={"max_request_body_size": LARGEST},
            refused=self.receiving.refused_before,
        )

    @property
    def url(self) -> str:
        """Where events are posted to (`/v1/events` below it)."""
        return f"http://{self.host}:{self.port}"
