"""The settings of what calls, and is called by, a database: senders of webhooks, and n8n."""

import re
from dataclasses import dataclass, field
from typing import Literal, cast

from exporter.config import kinds as k
from exporter.config.kinds import Kind, setting
from exporter.config.secret import Scheme, Secret

Criticality = Literal["low", "normal", "high", "critical"]
CRITICALITY = k.choice("low", "normal", "high", "critical")
_HAPPENING = re.compile(r"(?P<what>hook|n8n|record):(?P<name>[^=]{1,200}?)(?:=(?P<value>.{1,200}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Happens:
    """Something that happens: a webhook, an execution of n8n, a state of a document."""

    what: Literal["hook", "n8n", "record"]
    name: str
    value: str = ""


def _happens(raw: object) -> Happens:
    text = k.text_of(raw)
    found = _HAPPENING.fullmatch(text)
    k.require(found)
    assert found is not None  # noqa: S101 - required above
    k.require(found["what"] != "record" or (found["value"] and k.MODEL.fullmatch(found["name"])))
    return Happens(
        what=cast("Literal['hook', 'n8n', 'record']", found["what"]), name=found["name"], value=found["value"] or ""
    )


HAPPENING = Kind(
    says="`hook:NAME` or `hook:NAME=KIND`, `n8n:WORKFLOW` or `n8n:WORKFLOW=STATUS`, or `record:MODEL=STATE`",
    read=_happens,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """One sender that may post to `/hooks/NAME`."""

    name: str = ""
    scheme: Scheme = field(
        metadata=setting(
            k.choice("standard", "github", "stripe", "bearer", "token"),
            "How the sender proves itself: Standard Webhooks, GitHub's or Stripe's signature, a bearer token, or a "
            "token at the end of the address (`/hooks/NAME/TOKEN`) for those that can sign nothing, as Odoo.",
        ),
    )
    secrets: tuple[Secret, ...] = field(
        default=(),
        metadata=setting(
            k.SECRETS,
            "What the sender signs with or shows; several at once while they are rotated. With `token` and `bearer` "
            "not needed: `odoo-otel token new hooks/NAME` makes one that is kept hashed (docs/webhooks.md).",
        ),
    )
    mapping: str = field(
        default="",
        metadata=setting(
            k.TEXT,
            "What the payload means: a mapping that is shipped (odoo, stripe, github-actions, svix, hookdeck, "
            "alertmanager, n8n) or the path of a YAML file; left out, the hook's name.",
        ),
    )
    criticality: Criticality = field(
        default="normal",
        metadata=setting(CRITICALITY, "What its failure means to the business."),
    )
    latency_tolerance: float | None = field(
        default=None,
        metadata=setting(k.seconds(0.001, 86_400), "Seconds from the sender's event to us that nobody minds."),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class N8n:
    """The n8n that runs what this database sets off."""

    url: str = field(metadata=setting(k.URL, "Where n8n answers."))
    api_key: Secret = field(
        metadata=setting(
            k.SECRET, "An API key with execution:read, execution:list, workflow:read, workflow:list and nothing else."
        )
    )
    webhook_url: str = field(
        default="",
        metadata=setting(k.URL, "Where Odoo's webhooks reach n8n; left out, it is `url`."),
    )
    native_otel: bool = field(
        default=False,
        metadata=setting(k.TRUTH, "Whether n8n exports its own spans (N8N_OTEL_ENABLED): only what they lack is told."),
    )
    reference: str = field(
        default="odoo_ref",
        metadata=setting(
            k.TEXT, "The key of an execution's custom data that names the record: `sale.order,23` or `S00023`."
        ),
    )
    error_words: bool = field(
        default=True,
        metadata=setting(
            k.TRUTH,
            "Whether executions whose failure shows nowhere else are read unredacted (docs/n8n.md): only class, status "
            "and masked message of their errors are kept. Without it their errors have a class and no words, and "
            "failures that a workflow ignores are not seen.",
        ),
    )
    criticality: Criticality = field(
        default="normal", metadata=setting(CRITICALITY, "What its slowness means to the business.")
    )
    latency_tolerance: float | None = field(
        default=None,
        metadata=setting(
            k.seconds(0.001, 86_400), "Seconds that an execution may work (its waits left out) and nobody minds."
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What has to follow what."""

    name: str = ""
    after: Happens = field(metadata=setting(HAPPENING, "What happens first (docs/webhooks.md)."))
    then: Happens = field(metadata=setting(HAPPENING, "What has to follow it."))
    within: float = field(metadata=setting(k.seconds(1, 30 * 86_400), "Seconds within which it has to."))
    criticality: Criticality = field(
        default="normal", metadata=setting(CRITICALITY, "What it means to the business that it stays away.")
    )
    same_record: bool = field(
        default=True,
        metadata=setting(k.TRUTH, "Whether both have to name the same record; else the next of any record counts."),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UniqueKey:
    """A key that one event must not give to two records of a model."""

    name: str = ""
    key: tuple[str, ...] = field(
        metadata=setting(
            k.FIELDS, "The fields that make the key, the most telling first; where one is empty there is none."
        )
    )
    within: float = field(
        default=604_800.0,
        metadata=setting(
            k.seconds(1, 366 * 86_400), "Seconds between two records of one key within which the second is a duplicate."
        ),
    )
    criticality: Criticality = field(
        default="normal", metadata=setting(CRITICALITY, "What a duplicate means to the business.")
    )
