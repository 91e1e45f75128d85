"""Records that share a key which is declared unique: a Finding that names both and the key."""

from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from exporter.domain import bodies as b
from exporter.domain import ids
from exporter.domain.events import Event
from tests.searching import searching
from tests.worlds import APPROVALS, FLOW, TENANT, World, at, event, story

SALE = "sale.order"
UNIQUE = replace(FLOW, unique={SALE: "high"})
WEEK = 7 * 86_400


def doubled(when: float, *records: tuple[int, float], key: str = "d1", shared: str = "client_order_ref PO-1") -> Event:
    """Odoo shows records that share a key: (id, when it was made)."""
    body = b.RecordDoubled(
        model=SALE,
        key=key,
        shared=shared,
        within=WEEK,
        records=tuple(b.Twin(record_id=one, created=at(made), name=f"S{one:05}") for one, made in records),
    )
    return event("odoo.record.doubled", when, f"0/double/{key}/{when}", body, source=APPROVALS)


def test_a_duplicate_is_a_finding_that_names_both_and_the_key() -> None:
    """As severe as the key is critical, linked to both records' traces (feature 31)."""
    world = World(flow=UNIQUE).append([doubled(5, (12, 0), (13, 3))]).read_until(6)
    finding = world.findings()["record.duplicate"]
    said = dict(finding.attributes)
    assert said["odoo.finding.sentence"] == (
        "S00012 (sale.order,12) and S00013 (sale.order,13) share client_order_ref PO-1; they were made within 3 s."
    )
    assert (finding.workflow, said["odoo.finding.severity"], finding.ended_at) == (SALE, "critical", None)
    assert {(one.model, one.record_id) for one in finding.links} == {(SALE, "12"), (SALE, "13")}


def test_the_second_record_says_so_in_its_own_trace() -> None:
    """A failed span in its trace, linked to the first; a log event with both names; counted by model."""
    world = World(flow=UNIQUE).append([doubled(5, (12, 0), (13, 3))]).read_until(6)
    (span,) = [one for one in world.spans if one.name == "duplicate sale.order"]
    assert span.trace_id == ids.trace_id(TENANT, SALE, "13", "")
    assert [link.trace_id for link in span.links] == [ids.trace_id(TENANT, SALE, "12", "")]
    assert (span.is_error, dict(span.attributes)["odoo.duplicate.of"]) == (True, "sale.order,12")
    (log,) = [log for log in world.logs if log.event_name == "odoo.double.failed"]
    assert "S00012 (sale.order,12) and S00013 (sale.order,13)" in log.body
    assert world.total("odoo_record_duplicates_total") == 1
    assert world.observations == []


def test_a_third_is_told_too_and_nothing_twice() -> None:
    """Each record behind the first is told once, however often the key is shared again."""
    world = World(flow=UNIQUE).append([doubled(5, (12, 0), (13, 3))]).read_until(6)
    world.append([doubled(10, (12, 0), (13, 3), (14, 8))]).read_until(11)
    world.append([doubled(20, (12, 0), (14, 8))]).read_until(21)
    assert [run.record_id for run in world.runs() if run.kind == "double"] == ["13", "14"]
    assert "S00012 (sale.order,12) and S00014 (sale.order,14)" in str(
        dict(world.findings()["record.duplicate"].attributes)["odoo.finding.sentence"]
    )


def test_it_is_over_when_the_key_is_shared_no_more() -> None:
    """A person cancelled one: the Finding closes; it opens again if they share it again."""
    world = World(flow=UNIQUE).append([doubled(5, (12, 0), (13, 3))]).read_until(6)
    world.append([doubled(50)]).read_until(51)
    assert world.findings()["record.duplicate"].ended_at == at(51)
    world.append([doubled(70, (12, 0), (13, 3))]).read_until(71)
    assert world.findings()["record.duplicate"].ended_at is None
    assert world.total("odoo_record_duplicates_total") == 1


def test_it_is_over_by_time() -> None:
    """Behind the declared time nobody acknowledges it any more, and nothing is remembered."""
    world = World(flow=UNIQUE).append([doubled(5, (12, 0), (13, 3))]).read_until(3 + WEEK - 1)
    assert world.findings()["record.duplicate"].ended_at is None
    world.read_until(3 + WEEK)
    assert world.findings()["record.duplicate"].ended_at is not None
    assert world.subjects["double/all"].memory.doubles == {}


def test_several_keys_of_a_model_are_one_finding() -> None:
    """It names the newest and counts the others: labels stay few (feature 91)."""
    facts = [doubled(5, (12, 0), (13, 3)), doubled(6, (14, 1), (15, 4), key="d2", shared="client_order_ref PO-2")]
    world = World(flow=UNIQUE).append(facts).read_until(7)
    sentence = str(dict(world.findings()["record.duplicate"].attributes)["odoo.finding.sentence"])
    assert "S00014 (sale.order,14) and S00015 (sale.order,15) share client_order_ref PO-2" in sentence
    assert sentence.endswith(" 1 more key is shared.")
    assert len(world.findings()) == 1


def test_what_was_made_before_our_first_start_notifies_nobody() -> None:
    """A duplicate of the past is none of today's; nor is one of a model whose key is declared no more."""
    flow = replace(UNIQUE, tenant=replace(TENANT, first_start=at(4)))
    for chosen in (flow, FLOW):
        world = World(flow=chosen).append([doubled(5, (12, 0), (13, 3))]).read_until(6)
        assert world.findings() == {}
    assert World(flow=flow).append([doubled(5, (12, 0), (13, 3))]).read_until(6).runs() == []


@searching()
@given(
    st.lists(st.tuples(st.sampled_from(["d1", "d2"]), st.integers(0, 4)), min_size=1, max_size=8),
    st.randoms(use_true_random=True),
)
def test_in_one_batch_the_order_does_not_matter(seen: list[tuple[str, int]], rng: Random) -> None:
    """Shuffled and some twice: the same Runs, numbers and claims."""
    facts = [
        doubled(10.0 + place, *[(n + 1, float(n)) for n in range(count)], key=key)
        for place, (key, count) in enumerate(seen)
    ]
    shuffled = [*facts, *rng.sample(facts, len(facts) // 2)]
    rng.shuffle(shuffled)
    straight = World(flow=UNIQUE).append(facts).read_until(100)
    other = World(flow=UNIQUE).append(shuffled).read_until(100)
    assert story(other) == story(straight)
    assert other.findings() == straight.findings()
