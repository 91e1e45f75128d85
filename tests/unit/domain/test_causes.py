"""Why something failed: whose fault it is, whether trying again helps, and which failures are the same one."""

import pytest

from exporter.domain.causes import failure, fingerprint


@pytest.mark.parametrize(
    ("exception", "expected"),
    [
        ("odoo.exceptions.UserError", ("business", "business_rule", False)),
        ("odoo.exceptions.ValidationError", ("business", "business_rule", False)),
        ("psycopg2.errors.SerializationFailure", ("technical", "unknown", True)),
        ("odoo.addons.queue_job.exception.RetryableJobError", ("technical", "unknown", True)),
        ("ValueError", ("technical", "unknown", False)),
        ("", ("technical", "unknown", False)),
    ],
)
def test_the_class_of_an_exception_decides(exception: str, expected: tuple[str, str, bool]) -> None:
    """Odoo's own words for "a rule said no" are business, everything else is technical."""
    found = failure(exception, "No.")
    assert (found.failure_class, found.cause, found.transient) == expected
    assert found.type == exception


def test_the_message_is_masked_before_anybody_sees_it() -> None:
    """Messages name people (R16)."""
    found = failure("ValueError", "no address for jane.doe@example.com, IBAN DE02 1203 0000 0000 2020 51")
    assert "jane" not in found.message
    assert "1203" not in found.message


def test_failures_that_differ_in_numbers_or_people_only_are_the_same() -> None:
    """One cluster for "record 17 is locked" and "record 18 is locked"."""
    one = failure("ValueError", "record 17 of a@example.com is locked")
    other = failure("ValueError", "record 18 of bob@example.org is locked")
    assert one.fingerprint == other.fingerprint
    assert len(bytes.fromhex(one.fingerprint)) == 8


def test_failures_of_another_kind_or_in_other_words_are_not() -> None:
    """The class of the exception and the words count."""
    assert fingerprint("ValueError", "locked") != fingerprint("KeyError", "locked")
    assert fingerprint("ValueError", "locked") != fingerprint("ValueError", "gone")
