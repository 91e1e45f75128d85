"""Mappings: what a payload becomes, what of it never leaves, and what is said of a mapping with faults."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from exporter.domain.bodies import WebhookReceived
from exporter.domain.posted import Posted
from exporter.errors import ConfigError, Refused
from exporter.fold.deliveries import _failure
from exporter.fold.route import owes
from exporter.sources.mapped import SHIPPED, event_of, load_mapping, parse, parse_mapping
from exporter.sources.mapped.reading import when

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
SAMPLES = Path(__file__).parents[2] / "data" / "hooks"
CANARY = "c4n4ry"


def posted(payload: object, **about: Any) -> Posted:
    """A payload as it came."""
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Posted(hook="h", raw=raw, received_at=NOW, **about)


def one(name: str, sample: str) -> WebhookReceived:
    """What a shipped mapping makes of a sample."""
    (found,) = parse(load_mapping(name), posted((SAMPLES / f"{sample}.json").read_bytes()))
    return found


def test_a_stripe_event() -> None:
    """A failed payment with its reference, its reason masked, nothing of the customer (features 10, 41, 77)."""
    found = one("stripe", "stripe_invoice_payment_failed")
    assert (found.delivery, found.kind, found.result) == ("evt_1QAbCd", "invoice.payment_failed", "failure")
    assert found.correlation == ("sale.order:S00023",)
    assert (found.error_type, found.error) == ("card_declined", "Your card was declined, [EMAIL].")
    assert dict(found.attributes)["stripe.object"] == "invoice"
    assert found.drift == ()
    assert CANARY not in repr(found)


def test_a_github_run() -> None:
    """Requested, in progress and completed tell of one run; its conclusion is the result (features 5, 60)."""
    asked, done = one("github-actions", "github_requested"), one("github-actions", "github_completed")
    assert (asked.run, asked.result, asked.attempt) == (done.run, None, 1)
    assert (done.result, done.kind, done.status) == ("failure", "Deploy", "failure")
    assert done.ended_at == datetime(2026, 11, 25, 11, 7, 2, tzinfo=UTC)


def test_svix_messages() -> None:
    """A message that failed for good is a failure, with the status that was answered (features 32, 35)."""
    found = one("svix", "svix_exhausted")
    assert (found.run, found.result, found.http_status) == ("msg_1srOrx2ZWZBpBUvZwXKQmoEYga2", "failure", 500)


def test_a_nudge_of_n8n_says_which_execution_and_nothing_else() -> None:
    """The error workflow's payload holds requests, parameters, stacks and messages: only the id is taken (R15)."""
    found = one("n8n", "n8n_error_workflow")
    assert dict(found.attributes) == {"n8n.execution.id": "5", "odoo.integration.system": "n8n"}
    assert (found.result, found.error, found.drift) == ("success", "", ())
    owed = owes(event_of(posted(b"{}"), found))
    assert owed == (("n8n/executions", "5"),)


def test_hookdeck_deliveries() -> None:
    """Attempts of one event, with their number (feature 33)."""
    found = one("hookdeck", "hookdeck_failed")
    assert (found.run, found.result, found.attempt, found.http_status) == ("evt_2BwzS", "failure", 3, 502)


def test_an_alertmanager_group_is_a_delivery_an_alert() -> None:
    """Each alert of the group, firing or resolved, by its fingerprint (features 14, 72)."""
    found = parse(load_mapping("alertmanager"), posted((SAMPLES / "alertmanager.json").read_bytes(), delivery="d"))
    assert [(one.delivery, one.run, one.kind, one.result) for one in found] == [
        ("d/0", "f00d#2026-11-25T10:00:00Z", "DiskFull", None),
        ("d/1", "beef#2026-11-25T10:00:00Z", "DiskFull", "success"),
    ]
    assert found[0].ended_at is None


def test_what_runs_again_under_its_id_is_another_run() -> None:
    """An alert that fires a second time, a job that is run again: what was told of the first is not said of it (60)."""
    job = json.loads((SAMPLES / "github_completed.json").read_text())
    runs = []
    for attempt in (1, 2, None):
        job["workflow_run"]["run_attempt"] = attempt
        runs += [found.run for found in parse(load_mapping("github-actions"), posted(job))]
    assert runs == ["30433642#1", "30433642#2", "30433642"]
    long = parse_mapping("{run: /id, episode: /at}", "m")
    assert [parse(long, posted({"id": "x" * 300, "at": at * 100}))[0].run[-45:] for at in "ab"] == [
        "xxxx#" + "a" * 40,
        "xxxx#" + "b" * 40,
    ]


def test_a_payload_may_be_a_list_itself() -> None:
    """As SendGrid's and HubSpot's are: each element is a delivery; anything else is refused with a sentence (41)."""
    mapping = parse_mapping("{each: '', delivery: /id, kind: /event}", "mailer")
    found = parse(mapping, posted([{"id": "1", "event": "bounce"}, {"id": "2", "event": "open"}]))
    assert [(one.delivery, one.kind) for one in found] == [("1", "bounce"), ("2", "open")]
    with pytest.raises(Refused, match="is no JSON object"):
        parse(load_mapping("stripe"), posted([{"id": "1"}]))
    nameless = parse(parse_mapping("each: ''", "m"), posted([{}, {}], delivery="d" * 200))
    assert [one.delivery[-3:] for one in nameless] == ["d/0", "d/1"]
    for payload in ({"id": "1"}, [], ["1"]):
        with pytest.raises(Refused, match="is no list of objects: mailer expects one"):
            parse(mapping, posted(payload))


@pytest.mark.parametrize(
    ("name", "sample"),
    [
        ("alertmanager", "alertmanager"),
        ("github-actions", "github_requested"),
        ("github-actions", "github_completed"),
        ("stripe", "stripe_invoice_payment_failed"),
        ("svix", "svix_exhausted"),
    ],
)
def test_what_a_sender_is_known_to_send_is_no_drift(name: str, sample: str) -> None:
    """Of senders whose form is documented every top-level name is known, and another one is drift (feature 45)."""
    mapping, payload = load_mapping(name), json.loads((SAMPLES / f"{sample}.json").read_text())
    assert {drift for found in parse(mapping, posted(payload)) for drift in found.drift} == set()
    for one in payload["alerts"] if mapping.each else [payload]:
        one["surprise"] = CANARY
    assert {drift for found in parse(mapping, posted(payload)) for drift in found.drift} == {"surprise"}


def test_every_shipped_mapping_can_be_loaded() -> None:
    """They are whole."""
    assert [load_mapping(name).name for name in SHIPPED] == [*SHIPPED]


def test_what_a_mapping_expects_and_does_not_find_is_drift() -> None:
    """A missing field, one of another type, one that nobody knows: named, at most ten, and the rest is taken (45)."""
    mapping = parse_mapping("{delivery: /id, started: /at, required: [/id, /state], known: [id, at, state]}", "m")
    (found,) = parse(mapping, posted({"id": "7", "at": {"no": "time"}, "surprise": CANARY}))
    assert (found.delivery, found.started_at, found.drift) == ("7", None, ("at", "state", "surprise"))
    assert CANARY not in repr(found)


def test_without_an_id_the_digest_of_the_body_names_a_delivery() -> None:
    """The same body is the same delivery; the id of the sender's scheme counts less than the mapping's."""
    mapping = parse_mapping("delivery: /id", "m")
    names = [parse(mapping, posted(body, **about))[0].delivery for body, about in BODIES]
    assert names[0] == names[1] != names[2]
    assert (names[3], names[4]) == ("from-scheme", "mine")


BODIES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"a": 1}, {}),
    ({"a": 1}, {}),
    ({"a": 2}, {}),
    ({"a": 1}, {"delivery": "from-scheme"}),
    ({"id": "mine"}, {"delivery": "from-scheme"}),
]


def test_an_event_is_never_later_than_its_arrival() -> None:
    """Whatever the sender's clock says (promise R14)."""
    body = WebhookReceived(hook="h", delivery="d", ended_at=datetime(2030, 1, 1, tzinfo=UTC))
    assert event_of(posted({}), body).at == NOW
    past = datetime(2026, 11, 1, tzinfo=UTC)
    assert event_of(posted({}), WebhookReceived(hook="h", delivery="d", started_at=past)).at == past


@pytest.mark.parametrize(
    ("value", "iso"),
    [
        ("2026-11-25T12:00:00Z", "2026-11-25T12:00:00+00:00"),
        ("2026-11-25T14:00:00+02:00", "2026-11-25T12:00:00+00:00"),
        (1795600800, "2026-11-25T10:00:00+00:00"),
        (1795600800000, "2026-11-25T10:00:00+00:00"),
        ("2026-10-25T02:30:00+02:00", "2026-10-25T00:30:00+00:00"),  # the hour that Brussels has twice
        ("2026-10-25T02:30:00+01:00", "2026-10-25T01:30:00+00:00"),
        ("2026-06-30T23:59:60Z", "2026-07-01T00:00:00+00:00"),
        ("2028-02-29T23:59:60.5Z", "2028-03-01T00:00:00.500000+00:00"),
        ("9999-12-31T23:59:60Z", None),
        ("2026-11-25T12:00:00", None),
        ("soon", None),
        (True, None),
        (-5, None),
        (1e300, None),
        ("0001-01-01T00:00:00+14:00", None),
    ],
)
def test_times_are_read_in_any_usual_form(value: object, iso: str | None) -> None:
    """R14: ISO 8601 with an offset, leap seconds too, seconds, milliseconds; a time without a zone is none."""
    found = when(value)
    assert (found.isoformat() if found else None) == iso


def test_every_fault_of_a_mapping_is_said_at_once() -> None:
    """Unknown keys with the nearest known one, places that are none, results that are none."""
    text = "{delivry: /id, run: id, results: {ok: fine}, each: [/a], attributes: /x, otherwise: never, known: a}"
    with pytest.raises(ConfigError) as caught:
        parse_mapping(text, "m")
    said = " ".join(caught.value.faults)
    assert len(caught.value.faults) == 7
    assert "delivry: is not known; did you mean delivery?" in said
    assert "results.ok: must be one of cancellation," in said


@pytest.mark.parametrize("text", ["[]", "a: b: c", "7"])
def test_what_is_no_mapping_is_refused(text: str) -> None:
    """One sentence."""
    with pytest.raises(ConfigError):
        parse_mapping(text, "m")


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    """With the names of those that are shipped; a file beside the configuration is found."""
    with pytest.raises(ConfigError, match="is none of alertmanager, github-actions,"):
        load_mapping("nothing.yaml", tmp_path)
    (tmp_path / "own.yaml").write_text("delivery: /id")
    assert load_mapping("own.yaml", tmp_path).delivery == (("id",),)


def test_a_status_may_say_whose_fault_it_is() -> None:
    """A class per result: the mapping's word counts before what the failure itself says, for that status alone."""
    mapping = parse_mapping(MAPPED, "m")
    declined, broken, paid = (parse(mapping, posted({"state": one}))[0] for one in ("declined", "broken", "paid"))
    assert [one.failure_class for one in (declined, broken, paid)] == ["business", "", ""]
    told = [_failure(replace(one, error="connection timed out")) for one in (declined, broken, paid)]
    assert [one and (one.failure_class, one.cause) for one in told] == [
        ("business", "timeout"),
        ("technical", "timeout"),
        None,
    ]
    with pytest.raises(ConfigError, match=r"mapping m, classes\.x: must be business or technical"):
        parse_mapping("{status: /state, classes: {x: human}}", "m")
    with pytest.raises(ConfigError, match="mapping m, classes: must be names with values"):
        parse_mapping("classes: [business]", "m")


MAPPED = "{status: /state, results: {declined: failure, broken: failure}, classes: {declined: business}}"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [(b"\xff", "not_plain"), ([], "no_list"), ({"alerts": 7}, "no_list"), ({"alerts": [{}] * 201}, "too_many")],
)
def test_what_cannot_be_understood_is_refused(payload: object, reason: str) -> None:
    """422 with a reason that is counted and a sentence for the sender."""
    with pytest.raises(Refused) as caught:
        parse(load_mapping("alertmanager"), posted(payload))
    assert (caught.value.status, caught.value.reason) == (422, reason)


@pytest.mark.parametrize(("text", "number"), [("12", 12), ("9" * 18, 10**18 - 1), ("9" * 19, None)])
def test_a_number_as_text_has_64_bits_at_most(text: str, number: int | None) -> None:
    """OTLP has no room for more: what is too long is drift (45)."""
    (found,) = parse(parse_mapping("{delivery: /id, attempt: /n}", "m"), posted({"id": "1", "n": text}))
    assert (found.attempt, found.drift) == (number, () if number else ("n",))
