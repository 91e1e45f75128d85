from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1 import trace_pb2

from exporter.domain.runs import Attributes
from exporter.domain.times import micros
from exporter.domain.told import Span, SpanLink
from exporter.telemetry import otlp
from exporter.telemetry.otlp.spans import KINDS
from tests.searching import searching

AT = datetime(2026, 1, 5, 8, 0, 0, 123456, tzinfo=UTC)
PLACE = otlp.place(b"", "odoo/jobs")
scalars = st.one_of(st.text(max_size=200), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))
attributes = st.lists(st.tuples(st.text(max_size=20), scalars), max_size=12).map(tuple)
times = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  made aware
links = st.builds(
    SpanLink,
    trace_id=st.binary(min_size=16, max_size=16),
    span_id=st.binary(min_size=8, max_size=8),
    attributes=attributes,
)
spans = st.builds(
    Span,
    trace_id=st.binary(min_size=16, max_size=16),
    span_id=st.binary(min_size=8, max_size=8),
    parent_id=st.one_of(st.just(b""), st.binary(min_size=8, max_size=8)),
    name=st.text(max_size=300),
    kind=st.sampled_from(sorted(KINDS)),
    scope=st.just("odoo/jobs"),
    started_at=times,
    ended_at=times,
    is_error=st.booleans(),
    error=st.text(max_size=200),
    attributes=attributes,
    links=st.lists(links, max_size=3).map(tuple),
)


def span(**changed: object) -> Span:
    """A span to change."""
    plain: dict[str, object] = {"trace_id": b"t" * 16, "span_id": b"s" * 8, "name": "cron x", "scope": "odoo/crons"}
    return Span(**{**plain, "started_at": AT, "ended_at": AT + timedelta(seconds=1), **changed})  # type: ignore[arg-type]


def fill(message: trace_pb2.Span | trace_pb2.Span.Link, found: Attributes) -> None:
    """Attributes by opentelemetry-proto."""
    for key, value in found:
        target = message.attributes.add(key=key).value
        kind = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value"}[type(value)]
        setattr(target, kind, value)


def by_opentelemetry(found: Span) -> bytes:
    """The same span by opentelemetry-proto."""
    message = trace_pb2.Span(
        trace_id=found.trace_id,
        span_id=found.span_id,
        parent_span_id=found.parent_id,
        name=found.name,
        kind=KINDS[found.kind],
        start_time_unix_nano=micros(found.started_at) * 1000,
        end_time_unix_nano=micros(found.ended_at) * 1000,
        flags=1,
    )
    fill(message, found.attributes)
    for link in found.links:
        fill(message.links.add(trace_id=link.trace_id, span_id=link.span_id, flags=1), link.attributes)
    if found.is_error:
        message.status.code = trace_pb2.Status.STATUS_CODE_ERROR
        message.status.message = found.error
    return message.SerializeToString(deterministic=True)


@searching()
@given(found=spans)
def test_bytes_are_those_of_opentelemetry_proto(found: Span) -> None:
    """A span put together by hand is byte for byte what opentelemetry-proto writes."""
    assert otlp.encode_span(found) == by_opentelemetry(found)


@searching()
@given(found=st.lists(spans, max_size=4))
def test_encoding_again_gives_the_same_bytes(found: list[Span]) -> None:
    """What was encoded before, and what a cache holds, changes no byte (R3)."""
    first = [otlp.encode_span(one) for one in found]
    assert [otlp.encode_span(one) for one in reversed(found)] == first[::-1]


@searching()
@given(found=spans)
def test_a_span_is_read_back_as_it_was(found: Span) -> None:
    """Decoding gives the span again, but for the description of a status that is no error."""
    expected = found if found.is_error else Span(**{**fields(found), "error": ""})  # type: ignore[arg-type]
    assert otlp.decode_span(PLACE, otlp.encode_span(found)) == expected


def fields(found: Span) -> dict[str, object]:
    """A span's fields by name."""
    return {name: getattr(found, name) for name in Span.__struct_fields__}


@pytest.mark.parametrize("order", [(True, 1, 1.0), (1.0, True, 1), (1, 1.0, True)])
def test_equal_values_of_different_types_stay_apart(order: tuple[bool | int | float, ...]) -> None:
    """True, 1 and 1.0 are equal in Python and three different attributes."""
    kinds = [
        type(otlp.decode_span(PLACE, otlp.encode_span(span(attributes=(("k", one),)))).attributes[0][1])
        for one in order
    ]
    assert kinds == [type(one) for one in order]


def test_zero_and_minus_zero_stay_apart() -> None:
    """0.0 equals -0.0, so floats are never taken from a cache."""
    first, second = (otlp.encode_span(span(attributes=(("k", zero),))) for zero in (0.0, -0.0))
    assert first != second


@pytest.mark.parametrize(("value", "shown"), [("a\ud800b", "a?b"), (2**63, str(2**63)), (-(2**70), str(-(2**70)))])
def test_what_otlp_cannot_say_is_said_as_text(value: str | int, shown: str) -> None:
    """A lone surrogate becomes `?`, an integer beyond 64 bits is written out; neither stops the span."""
    found = otlp.decode_span(PLACE, otlp.encode_span(span(name="n\ud800", attributes=(("k", value),))))
    assert found.attributes == (("k", shown),)
    assert found.name == "n?"


@pytest.mark.parametrize(
    "wrong",
    [
        {"trace_id": b"short"},
        {"span_id": b""},
        {"parent_id": b"1234567"},
        {"started_at": datetime(1969, 1, 1, tzinfo=UTC)},
    ],
)
def test_a_span_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    """Ids of a wrong length and times before 1970 raise: they would make bytes that mean something else."""
    with pytest.raises(ValueError, match="ids must have 16, 8 and 8"):
        otlp.encode_span(span(**wrong))
