"""What the web room is told, and all it knows: plain values, made by whoever has the loops and the store."""

from typing import TypedDict


class SourceState(TypedDict):
    """One Source of one tenant: how its last poll went. `last_success` is ISO 8601 or ""."""

    tenant: str
    source: str
    ok: bool
    last_success: str
    error: str


class SignalState(TypedDict):
    """One signal on its way out: the sending lane's condition and reason, and how many rows wait."""

    signal: str
    condition: str
    reason: str
    waiting: int


class State(TypedDict):
    """How the service is. `store` is "" when it can be read, else why not; `loops` says which of them are alive."""

    version: str
    store: str
    loops: dict[str, bool]
    sources: list[SourceState]
    signals: list[SignalState]


def is_ready(state: State) -> bool:
    """Ready means: the store can be read and every loop is alive. A Source or a Collector that is down is not ours."""
    return not state["store"] and all(state["loops"].values())
