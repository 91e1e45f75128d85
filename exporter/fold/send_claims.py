"""Webhooks that went wrong of late, as claims: one a rule and way, for an hour behind the last; then it is over."""

from collections.abc import Mapping

from exporter.domain.bodies import FindingSeen
from exporter.domain.times import from_micros
from exporter.fold.send_memory import RULE, Loss, SendMemory
from exporter.fold.subjects import Flow
from exporter.fold.troubles import SEVERITIES

WORDS: Mapping[str, tuple[str, str]] = {
    "send.lost": ("webhook did not come", "webhooks did not come"),
    "send.unexecuted": ("webhook set nothing off in n8n", "webhooks set nothing off in n8n"),
    "send.rolled_back": ("webhook told of what was rolled back", "webhooks told of what was rolled back"),
}
CLOSED: Mapping[str, str] = dict.fromkeys(WORDS, "None since, for an hour; or what was missing came after all.")


def sayings(memory: SendMemory, flow: Flow) -> dict[str, FindingSeen]:
    """What is wrong, by `detector/rule`."""
    return {name: _said(name, loss, flow) for name, loss in sorted(memory.losses.items())}


def subject_of(name: str) -> tuple[str, str]:
    """(detector, label) of a claim's name."""
    detector, _, rule = name.rpartition("/")
    return detector, f"automation/{rule}"


def _said(name: str, loss: Loss, flow: Flow) -> FindingSeen:
    detector, label = subject_of(name)
    words = WORDS[detector][loss.count > 1]
    return FindingSeen(
        detector=detector,
        subject=label,
        severity=severity(flow),
        example=f"send/all#{loss.example}",
        since=from_micros(loss.first),
        sentence=f"{loss.count} {words}, the last of {loss.record} at {_when(loss.last)} UTC.",
        name=loss.name,
        model=RULE,
        record_id=label.rpartition("/")[2],
    )


def severity(flow: Flow) -> str:
    """That of the weightiest hook to which Odoo posts."""
    order = tuple(SEVERITIES)
    natives = [hook.criticality for hook in flow.hooks.values() if hook.native]
    return SEVERITIES[max(natives, default="normal", key=order.index)]


def _when(us: int) -> str:
    return f"{from_micros(us):%Y-%m-%d %H:%M:%S}"
