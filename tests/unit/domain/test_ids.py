"""Ids are functions of the facts: stable, different for different facts, never all zero (design 5, decision 15)."""

from hashlib import blake2b
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.domain import ids
from exporter.domain.tenants import Tenant

TENANT = Tenant(name="lab", database="lab19", uuid="5d2f6ec4-0000-4000-8000-000000000001")
Name = st.text(max_size=6)
Fields = st.tuples(Name, Name, Name)


@given(Fields, Fields)
def test_different_runs_have_different_ids(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    """Every field is length-prefixed: no two lists of fields are the same bytes."""
    assert (ids.span_id(TENANT, one) == ids.span_id(TENANT, other)) == (one == other)
    assert (ids.trace_id(TENANT, *one) == ids.trace_id(TENANT, *other)) == (one == other)


def test_fields_that_read_the_same_when_joined_are_not_the_same() -> None:
    """(12, 3) and (1, 23), empty fields at another place, a role that looks like a key."""
    alike = [("m", "12", "3"), ("m", "1", "23"), ("m1", "2", "3"), ("", "m123", ""), ("m123", "", ""), ("", "", "m123")]
    found = {ids.span_id(TENANT, fields) for fields in alike}
    assert len(found) == len(alike)
    assert ids.span_id(TENANT, ("m", "1", "2"), "root") != ids.span_id(TENANT, ("m", "1", ""), "2root")


def test_a_field_is_its_length_in_four_bytes_and_its_text() -> None:
    """UTF-8, counted in bytes: what another program must do to find the same id."""
    assert ids.field("é1") == b"\x00\x00\x00\x03\xc3\xa91"
    assert ids.field("") == b"\x00\x00\x00\x00"


def test_ids_are_those_of_the_documented_digest() -> None:
    """Written out by hand, without caches and copied prefixes."""
    fields = ("1", TENANT.uuid, TENANT.environment, "ir.cron", "42", "7", "batch/2")
    raw = b"".join(len(text.encode()).to_bytes(4, "big") + text.encode() for text in fields)
    expected = blake2b(raw, digest_size=8, person=b"odoo-otel-v1".ljust(16, b"\0")).digest()
    assert ids.span_id(TENANT, ("ir.cron", "42", "7"), "batch/2") == expected
    assert ids.span_ids(TENANT, ("ir.cron", "42", "7"))("batch/2") == expected


def test_lengths_are_those_of_w3c() -> None:
    """16 bytes a trace, 8 a span."""
    assert len(ids.trace_id(TENANT, "m", "1", "1")) == 16
    assert len(ids.span_id(TENANT, ("m", "1", "1"))) == 8


def test_all_zero_ids_do_not_exist() -> None:
    """W3C Trace Context calls them invalid: a Collector would drop the span."""
    assert ids._whole(b"\0" * 8) == b"\x01" * 8
    assert ids._whole(b"\0" * 16) == b"\x01" * 16
    assert ids._whole(b"\0" * 7 + b"\x02") == b"\0" * 7 + b"\x02"


def test_copies_of_a_database_differ_by_their_environment() -> None:
    """A restored copy has the same database.uuid; who works on both must not mix their traces."""
    tenants = [
        TENANT,
        Tenant(name="lab", database="lab19", uuid=TENANT.uuid, environment="staging"),
        Tenant(name="lab", database="lab19", uuid="another"),
    ]
    for one, other in combinations(tenants, 2):
        assert ids.trace_id(one, "m", "1", "1") != ids.trace_id(other, "m", "1", "1")


def test_the_configured_name_is_no_part_of_an_id() -> None:
    """Renaming a tenant, or its database, must not tear its traces apart."""
    renamed = Tenant(name="other", database="other", uuid=TENANT.uuid)
    assert ids.trace_id(TENANT, "m", "1", "1") == ids.trace_id(renamed, "m", "1", "1")


@pytest.mark.parametrize(
    ("header", "is_one"),
    [
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", True),
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", True),
        ("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-later", True),
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", False),
        ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", False),
        ("00-00000000000000000000000000000000-b7ad6b7169203331-01", False),
        ("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", False),
        ("00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01", False),
        ("", False),
    ],
)
def test_a_traceparent_is_read_as_trace_context_says(header: str, *, is_one: bool) -> None:
    """Only a valid W3C header is adopted (feature 99)."""
    found = ids.traceparent(header)
    assert (found is not None) == is_one
    if found:
        assert (found[0].hex(), found[1].hex()) == ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
