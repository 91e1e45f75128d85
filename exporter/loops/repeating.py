"""A loop: a step repeated by a thread of its own until it is stopped, at once while there is more to do."""

from collections.abc import Callable
from logging import getLogger
from threading import Event as Flag
from threading import Thread

from exporter.clock import Clock
from exporter.errors import StoreBroken, StoreError

log = getLogger(__name__)


class Repeating:
    """Repeats `step`; `step` returns True when it should be called again at once, else the loop waits.

    A step that raises ends the loop: `fault` says why, and the service decides what that means. A store that is full
    ends nothing: the step is tried again after the interval. `seconds` is the interval, or says it after each step.
    `last` is done once at the end, after the last step.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], bool],
        clock: Clock,
        seconds: float | Callable[[], float],
        *,
        last: Callable[[], object] = lambda: None,
    ) -> None:
        self.name = name
        self.fault: BaseException | None = None
        self._step, self._clock, self._seconds, self._last = step, clock, seconds, last
        self._stopping, self._fresh = Flag(), Flag()
        self._trouble = ""
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """There is something to do: do not wait for the interval."""
        self._fresh.set()

    def alive(self) -> bool:
        """Whether the loop still turns."""
        return self._thread.is_alive()

    def halt(self) -> None:
        """End after the step at work."""
        self._stopping.set()
        self._fresh.set()

    def join(self, seconds: float) -> bool:
        """Wait for the end; True if it came."""
        if self._thread.ident is not None:
            self._thread.join(seconds)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._fresh.clear()
                if not self._stepped():
                    self._clock.wait(self._fresh, self._seconds() if callable(self._seconds) else self._seconds)
            self._last()
        except Exception as error:
            self.fault = error
            log.critical("%s ended: %s: %s", self.name, type(error).__name__, error, exc_info=error)

    def _stepped(self) -> bool:
        """One step; a store without room, or another Commit before ours, wrote nothing: it is tried again later."""
        try:
            more = self._step()
        except StoreBroken:
            raise
        except StoreError as error:
            if str(error) != self._trouble and not self._stopping.is_set():
                log.warning("%s waits for the store: %s", self.name, error)
            self._trouble = str(error)
            return False
        self._trouble = ""
        return more
