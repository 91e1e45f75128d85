"""Why something failed: whose fault it is, whether trying again helps, and which failures are the same one."""

import time
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domain.cause_rules import CLASSES, LAST_STATUSES, STATUSES
from exporter.domain.causes import failure, fingerprint
from exporter.domain.redact import CLIP, plain
from exporter.domain.runs import Cause, FailureClass
from tests.searching import searching


@pytest.mark.parametrize(
    ("exception", "cause", "transient"),
    [
        ("odoo.exceptions.UserError", "business_rule", False),
        ("odoo.exceptions.ValidationError", "business_rule", False),
        ("odoo.exceptions.RedirectWarning", "business_rule", False),
        ("odoo.exceptions.MissingError", "business_rule", False),
        ("odoo.exceptions.AccessError", "auth", False),
        ("odoo.exceptions.AccessDenied", "auth", False),
        ("odoo.exceptions.LockError", "timeout", True),
        ("pydantic_core._pydantic_core.ValidationError", "schema", False),
        ("odoo.addons.queue_job.exception.RetryableJobError", "unknown", True),
        ("odoo.addons.queue_job.exception.JobError", "unknown", False),
        ("odoo.addons.queue_job.exception.ChannelNotFound", "schema", False),
        ("psycopg2.errors.SerializationFailure", "timeout", True),
        ("psycopg2.errors.UniqueViolation", "data", False),
        ("psycopg2.errors.UndefinedColumn", "schema", False),
        ("psycopg2.OperationalError", "outage", True),
        *(
            ("57014", "timeout", True),
            ("55P03", "timeout", True),
            ("40001", "timeout", True),
            ("40P01", "timeout", True),
        ),
        *(("23505", "data", False), ("23503", "data", False), ("23502", "data", False), ("42P01", "schema", False)),
        *(("53300", "outage", True), ("57P03", "outage", True), ("08006", "outage", True), ("28P01", "auth", False)),
        *(("ECONNABORTED", "timeout", True), ("ETIMEDOUT", "timeout", True), ("ECONNRESET", "outage", True)),
        *(("ECONNREFUSED", "outage", True), ("ENOTFOUND", "outage", True), ("CERT_HAS_EXPIRED", "auth", False)),
        ("requests.exceptions.ConnectTimeout", "timeout", True),
        ("requests.exceptions.ConnectionError", "outage", True),
        ("requests.exceptions.SSLError", "auth", False),
        ("json.decoder.JSONDecodeError", "schema", False),
        *(("KeyError", "schema", False), ("TypeError", "schema", False), ("UnicodeDecodeError", "data", False)),
        *(("mail_smtp", "outage", True), ("mail_email_invalid", "data", False), ("mail_bl", "business_rule", False)),
        ("smtplib.SMTPAuthenticationError", "auth", False),
        *(("some.lib.GatewayTimeoutError", "timeout", True), ("some.lib.RateLimitExceeded", "rate_limit", True)),
        *(("", "unknown", False), ("Exception", "unknown", False), ("some.lib.Oops", "unknown", False)),
    ],
)
def test_the_class_of_an_exception_decides(exception: str, cause: Cause, *, transient: bool) -> None:
    """Odoo's, PostgreSQL's, Python's and Node's own names for what went wrong (features 10, 11)."""
    found = failure(exception, "No.")
    assert (found.cause, found.transient) == (cause, transient)
    assert found.failure_class == ("business" if cause == "business_rule" else "technical")
    assert found.type == exception


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        *((401, "auth"), (403, "auth"), (429, "rate_limit"), (408, "timeout"), (504, "timeout"), (502, "outage")),
        *((503, "outage"), (400, "schema"), (404, "schema"), (409, "schema"), (422, "schema"), (402, "business_rule")),
        *((500, "unknown"), (200, "unknown"), (0, "unknown")),
    ],
)
def test_a_status_decides_by_number_by_code_and_by_words(status: int, cause: Cause) -> None:
    """HTTP's own words, as a number, as n8n's `httpCode` or as requests says it; 500 may be anything (feature 10)."""
    assert failure("", "", status).cause == cause
    if status >= 400:
        assert failure(str(status), "").cause == cause
        assert failure("HTTPError", f"{status} Client Error: x for url: http://a/b").cause == cause


def test_the_status_comes_first_then_the_class_then_the_words_then_what_is_left_of_the_status() -> None:
    """The order of the rules: each of these would be something else by the next rule."""
    assert failure("odoo.exceptions.UserError", "Timed out.", 401).cause == "auth"
    assert failure("odoo.exceptions.MissingError", "Timed out.", 404).cause == "business_rule"
    assert failure("NodeApiError", "Timed out.", 404).cause == "timeout"
    assert failure("NodeApiError", "No.", 404).cause == "schema"
    assert failure("NodeApiError", "No.").cause == "unknown"


def test_classes_that_are_raised_for_anything_listen_to_the_words() -> None:
    """What Odoo wraps into a UserError is what it says, where that cannot be misread (feature 11)."""
    user_error = "odoo.exceptions.UserError"
    assert failure(user_error, "Could not connect: [Errno 111] Connection refused").cause == "outage"
    assert failure(user_error, "Invalid API key.").cause == "auth"
    assert failure(user_error, "This postal code is invalid, and forbidden here.").cause == "business_rule"
    assert failure("odoo.exceptions.MissingError", "Invalid API key.").cause == "business_rule"
    assert failure("", '{"message": "API rate limit exceeded for 203.0.113.7"}', 403).cause == "rate_limit"


def test_a_job_that_will_be_tried_again_says_so_whatever_its_cause() -> None:
    """RetryableJobError is transient by its own word (feature 11)."""
    found = failure("odoo.addons.queue_job.exception.RetryableJobError", "Bad credentials")
    assert (found.cause, found.transient) == ("auth", True)


def test_the_message_is_masked_before_anybody_sees_it() -> None:
    """Messages name people (R16)."""
    found = failure("ValueError", "no address for jane.doe@example.com, IBAN DE02 1203 0000 0000 2020 51")
    assert "jane" not in found.message
    assert "1203" not in found.message


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("record 17 of a@example.com is locked", "record 18 of bob@example.org is locked"),
        ('relation "sale_order" does not exist', 'relation "x_log" does not exist\nLINE 1: select * from x_log'),
        ("no room left in /var/lib/a on host a.example", "no room left in /srv/b/c on host 10.0.0.7"),
        ("job f13f3bbd-e21e-43ba-838c-9bd332d1b544 is gone", "job 0a7e3b52-9d01-4c1c-8d0e-2b9f0f1c6a77 is gone"),
        ("Order S00017 of Jane Roe is closed", "Order S00208 of Marc Demo is closed"),
        ("These are late:\n- P00017\n- P00018", "These are late:\n- P00099"),
        (
            '{"code":"expired","message":"Card of Ann is over","id":"a"}',
            '{"code":"expired","message":"Card of Bo is over"}',
        ),
    ],
)
def test_failures_that_differ_in_values_only_are_the_same(one: str, other: str) -> None:
    """One cluster for what happened to different records (features 47, 48, 91)."""
    assert failure("ValueError", one).fingerprint == failure("ValueError", other).fingerprint
    assert len(bytes.fromhex(fingerprint("ValueError", one))) == 8


def test_failures_of_another_kind_or_in_other_words_are_not() -> None:
    """The class of the exception, the status and the words count; where the class is defined does not (feature 91)."""
    locked = fingerprint("ValueError", "locked")
    assert locked != fingerprint("KeyError", "locked")
    assert locked != fingerprint("ValueError", "gone")
    assert locked != fingerprint("ValueError", "locked", 409)
    assert locked == fingerprint("builtins.ValueError", "locked")
    assert fingerprint("", '{"error":"invalid_auth"}') != fingerprint("", '{"error":"missing_scope"}')
    one = (
        "HTTPConnectionPool(host='a', port=1): Max retries (Caused by ConnectTimeoutError(<x>, 'a b c d e timed out'))"
    )
    assert fingerprint("E", one) != fingerprint("E", one.replace("ConnectTimeoutError", "NewConnectionError"))


NAMES = st.sampled_from([*sorted(CLASSES), "", "57014", "401", "ECONNRESET", "a.b.Timeout"]) | st.text()
MESSAGES = st.text() | st.text(alphabet="'\"(){}[]\\:;-_/@.0aA \n\u201c*", max_size=3000)


@searching()
@given(
    exception=NAMES, message=MESSAGES, status=st.none() | st.integers() | st.sampled_from([*STATUSES, *LAST_STATUSES])
)
def test_any_text_is_a_failure(exception: str, message: str, status: int | None) -> None:
    """Whatever arrives has a class, a cause, a fingerprint and a short message of one line, the same every time."""
    found = failure(exception, message, status)
    assert found == failure(exception, message, status)
    assert found.failure_class in set(get_args(FailureClass)) - {"human_delay"}
    assert found.cause in get_args(Cause)
    assert len(found.message) <= CLIP
    assert plain(found.message) == found.message
    assert plain(found.type) == found.type
    assert len(bytes.fromhex(found.fingerprint)) == 8


HOSTILE = (
    "'",
    '"',
    '\\"',
    '{"a":"',
    '[{"',
    "(",
    "a.b",
    "-a",
    "\n",
    "\n- x",
    "\n\t",
    "1 ",
    "@",
    "a@",
    "/a",
    "“",
    "x",
    "status ",
)


@pytest.mark.parametrize("piece", HOSTILE)
def test_hostile_text_of_any_length_takes_bounded_time(piece: str) -> None:
    """A megabyte of what regular expressions dislike costs no more than a page of it: milliseconds of CPU."""
    text = piece * (1_000_000 // len(piece))
    began = time.process_time()
    failure("odoo.exceptions.UserError", text)
    failure(text[:10_000], text)
    fingerprint("UserError", text)
    assert time.process_time() - began < 0.5
