"""Odoo's log: what a line says, of every version, and what of it never leaves."""

from datetime import UTC, datetime

import pytest

from exporter.domain.bodies import LogWritten
from exporter.sources.odoo.log_lines import event_of, exception, parse, records

CRON = "odoo.addons.base.models.ir_cron"
ACTIONS = "odoo.addons.base.models.ir_actions"
TRACEBACK = """
Traceback (most recent call last):
  File "/opt/odoo/odoo/addons/base/models/ir_cron.py", line 511, in _run
    raise UserError("c4n4ry")
odoo.exceptions.UserError: No address for jane.doe@example.com"""


def line(message: str, logger: str = CRON, level: str = "INFO", rest: str = "") -> LogWritten | None:
    """What a record says."""
    found = parse(f"2026-11-25 13:22:09,558 18744 {level} acme {logger}: {message}{rest}")
    return found.body if found else None


def said(message: str, logger: str = CRON, level: str = "INFO", rest: str = "") -> LogWritten:
    """The same, which must say something."""
    found = line(message, logger, level, rest)
    assert found is not None
    return found


def test_a_run_of_odoo_19_is_told_by_its_lines() -> None:
    """The lines of a real Odoo 19: start, exception and end, with id, result and duration (feature 2)."""
    begun = said("Job 'LAB fail' (42) starting")
    assert (begun.says, begun.cron, begun.cron_id, begun.pid) == ("cron.started", "LAB fail", 42, 18744)
    why = said("Job 'LAB fail' (42) server action #555 failed", level="ERROR", rest=TRACEBACK)
    assert (why.says, why.error_type) == ("cron.raised", "odoo.exceptions.UserError")
    assert why.error == "No address for [EMAIL]"
    over = said("Job 'LAB partial' (45) partially done (#loop 10; done 5; remaining 15; duration 14.20s)")
    assert (over.says, over.result, over.loops, over.done, over.remaining, over.seconds) == (
        "cron.ended",
        "partial",
        10,
        5,
        15,
        14.2,
    )


@pytest.mark.parametrize(
    ("message", "result"),
    [
        ("Job 'x' (7) fully done (#loop 1; done 0; remaining 0; duration 0.05s)", "success"),
        ("Job 'x' (7) failed (#loop 1; done 0; remaining 0; duration 0.12s)", "failure"),
        ("Job 'x' (7) timed out", "timeout"),
        ("Job `x` done.", "success"),
        ("Job done: `x` (1.234s).", "success"),
        ("Call from cron x for server action #5 failed in Job #7", "failure"),
    ],
)
def test_every_version_says_how_a_run_ended(message: str, result: str) -> None:
    """18 and later, 16 and 17, 14 and 15: by name, and by id where there is one (feature 115)."""
    over = said(message)
    assert (over.says, over.cron, over.result) == ("cron.ended", "x", result)
    assert over.cron_id == (7 if "7" in message else None)


@pytest.mark.parametrize("message", ["Starting job `x`.", "Manually starting job `x`."])
def test_old_versions_begin_runs_by_name(message: str) -> None:
    """Without an id."""
    begun = said(message)
    assert (begun.says, begun.cron, begun.cron_id) == ("cron.started", "x", None)


@pytest.mark.parametrize("name", ["it's", 'say "x"', "a (b) c", "ünï"])
def test_names_are_read_as_python_shows_them(name: str) -> None:
    """Odoo writes %r."""
    assert said(f"Job {name!r} (7) starting").cron == name


SECRET = "https://user:c4n4ry@hooks.example.com:8443/hooks/odoo/c4n4ry?key=c4n4ry"


@pytest.mark.parametrize(
    ("message", "says"),
    [
        (f"Webhook call to {SECRET}", "webhook.called"),
        (f"Webhook call to {SECRET} - succeeded", "webhook.succeeded"),
        (f"Webhook call to {SECRET} - cancelled due to a rollback", "webhook.cancelled"),
        (f"Webhook call failed: 500 Server Error: Internal Server Error for url: {SECRET}", "webhook.failed"),
        (
            "Webhook call failed: HTTPConnectionPool(host='hooks.example.com'): Max retries with url: /c4n4ry",
            "webhook.failed",
        ),
    ],
)
def test_of_a_webhooks_address_only_the_host_is_kept(message: str, says: str) -> None:
    """The rest of it is a secret (promise R15, feature 32)."""
    found = said(message, ACTIONS)
    assert found.says == says
    assert found.host.startswith("hooks.example.com")
    assert "c4n4ry" not in repr(found)


def test_a_webhook_that_timed_out_may_have_arrived() -> None:
    """Odoo waits a second and does not know (facts/odoo.md section 3)."""
    found = said("Webhook call timed out after 1s - it may or may not have failed. If this happens", ACTIONS, "WARNING")
    assert (found.says, found.result, found.error_type) == ("webhook.failed", "unknown", "requests.ReadTimeout")


def test_inbound_webhooks_are_known_by_their_rule() -> None:
    """Triggered and failed, without the payload."""
    logger = "odoo.addons.base_automation.models.base_automation"
    begun = said("Webhook #11 triggered with payload {'name': 'c4n4ry'}", logger, "DEBUG")
    over = said("Webhook #11 failed with error:", logger, "WARNING", TRACEBACK)
    assert (begun.says, begun.rule, "c4n4ry" in repr(begun)) == ("inbound.triggered", 11, False)
    assert (over.says, over.rule, over.error_type) == ("inbound.failed", 11, "odoo.exceptions.UserError")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ('127.0.0.1 - - [26/Nov/2026 07:52:11] "POST /web/hook/e052b251-c4n4ry HTTP/1.1" 200 - 13 0.004 0.130', 200),
        ('127.0.0.1 - - [26/Nov/2026 07:52:11] "\x1b[33mPOST /web/hook/c4n4ry HTTP/1.1\x1b[0m" 404 - 3 0.001', 404),
        ('::1 - - "\x1b[35m\x1b[1mGET /web/hook/c4n4ry?x=1 HTTP/1.1\x1b[0m" 500 - 3 0.001', 500),
    ],
)
def test_what_a_webhook_was_answered_with_is_known(request_: str, status: int) -> None:
    """From the access log, without the address: it is a secret (R15)."""
    found = said(request_, "werkzeug", "INFO")
    assert (found.says, found.status, "c4n4ry" in repr(found)) == ("inbound.answered", status, False)


@pytest.mark.parametrize(
    "record",
    [
        "",
        "Traceback (most recent call last):",
        '2026-11-25 13:40:04,462 1 INFO acme werkzeug: 127.0.0.1 - - "POST /web/login HTTP/1.1" 200 -',
        f"2026-11-25 13:40:04,462 1 INFO acme {CRON}: something else",
        f"2026-99-25 13:40:04,462 1 INFO acme {CRON}: Job 'x' (7) starting",
    ],
)
def test_what_concerns_nobody_is_passed_over(record: str) -> None:
    """Access lines, other loggers, no time."""
    assert parse(record) is None


def test_lines_are_put_together_as_they_were_written() -> None:
    """A traceback belongs to the line before it."""
    text = f"2026-11-25 13:22:09,558 1 ERROR acme {CRON}: Job 'x' (7) server action #5 failed{TRACEBACK}\n"
    other = f"2026-11-25 13:22:09,600 1 INFO acme {CRON}: Job 'y' (8) starting\n"
    found = [parse(record) for record in records((text + other).splitlines(keepends=True))]
    assert [one.body.says if one else None for one in found] == ["cron.raised", "cron.started"]
    assert exception(TRACEBACK)[0] == "odoo.exceptions.UserError"


def test_a_line_of_a_leap_second_is_not_lost() -> None:
    """R14: `23:59:60,5` is the second after it, and the record is no part of the traceback before it."""
    text = f"2026-06-30 23:59:60,500 1 INFO acme {CRON}: Job 'x' (7) starting"
    found = [parse(record) for record in records([TRACEBACK, text])]
    assert [one.at.isoformat() if one else None for one in found] == [None, "2026-07-01T00:00:00.500000+00:00"]


def test_a_line_is_the_same_event_whoever_carries_it() -> None:
    """Read again it is a repeat: its key is made of what it says (promise R3)."""
    record = f"2026-11-25 13:22:09,558 1 INFO acme {CRON}: Job 'x' (7) starting"
    one, two = parse(record), parse(record)
    assert one is not None
    assert one == two
    event = event_of(one, datetime(2026, 11, 25, 14, tzinfo=UTC))
    assert (event.source, event.at.isoformat()) == ("odoo/log", "2026-11-25T13:22:09.558000+00:00")
