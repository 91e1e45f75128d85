"""What runs say in numbers: volumes, completion, exceptions, latency, cycle times. One feature a test."""

from collections import Counter

from tests.worlds import Review, Row, World, counted, document, job, moved, posted

SECOND = 1_000_000


def values(world: World, name: str) -> Counter[tuple[str, ...]]:
    """Sums of an instrument by the values of its labels."""
    found: Counter[tuple[str, ...]] = Counter()
    for one in world.measurements:
        if one.name == name:
            found[tuple(value for _, value in one.labels)] += one.value
    return found


def actions() -> World:
    """An action that was due half a minute before it ran, four times; the second time it failed."""
    world = World().append([counted(-10, None, nextcall=0, interval=10)]).read_until(-5)
    for number, took in enumerate((4, 6, 5, 9), start=1):
        begins = number * 600 + 30
        read = counted(begins + 15, begins, int(number == 2), nextcall=(number + 1) * 600, interval=10)
        before = counted(begins - 40, begins - 600, int(number == 3), nextcall=number * 600, interval=10)
        world.live([before, Row(number=number, start=begins, end=begins + took).ended(), read], begins + 15)
    return world


def test_every_run_is_counted_by_how_it_ended() -> None:
    """Volume, completion and exceptions of an action are shares of one counter (features 37, 38, 39)."""
    runs = values(actions(), "odoo_cron_runs_total")
    assert runs == {("lab.action", "success"): 3, ("lab.action", "failure"): 1}


def test_waiting_for_the_start_is_apart_from_running() -> None:
    """Two histograms: 30 s late each time, and 4, 5, 6, 9 s of work (features 41, 85)."""
    world = actions()
    delays = [one.value for one in world.measurements if one.name == "odoo_cron_start_delay_seconds"]
    works = [one.value for one in world.measurements if one.name == "odoo_cron_run_duration_seconds"]
    assert delays == [30 * SECOND] * 4
    assert sorted(works) == [4 * SECOND, 5 * SECOND, 6 * SECOND, 9 * SECOND]


def test_a_failed_job_counts_under_its_exception_and_its_retries() -> None:
    """By channel, function and class of the exception; attempts behind the first are retries (features 33, 39)."""
    failed = [job(0, "pending"), job(15, "failed", 2, started=3), posted(9, seen=15)]
    done = [job(0, "pending", number=8), job(20, "done", 1, number=8, started=3, done=5, exec_time=2.0)]
    world = World().append([*failed, *done]).read_until(90)
    what = ("root.lab", "<res.partner>.send")
    assert values(world, "odoo_job_errors_total") == {(*what, "odoo.exceptions.UserError"): 1}
    assert values(world, "odoo_job_retries_total") == {what: 1}
    assert values(world, "odoo_job_runs_total") == {(*what, "failure"): 1, (*what, "success"): 1}


def test_a_job_says_how_long_it_waited_and_how_long_it_worked() -> None:
    """Ready at 2, started at 12, 2.5 s of work: latency is both, and each alone (features 41, 85)."""
    facts = [job(0, "pending", created=2), job(30, "done", 1, created=2, started=12, done=14, exec_time=2.5)]
    world = World().append(facts).read_until(90)
    assert values(world, "odoo_job_wait_duration_seconds") == {("root.lab",): 10 * SECOND}
    what = ("root.lab", "<res.partner>.send", "success")
    assert values(world, "odoo_job_duration_seconds") == {what: 2_500_000}


def test_an_approval_says_how_long_each_step_took() -> None:
    """A review of 50 s, then 40 s in the state that waits for a person (feature 40)."""
    facts = [
        document(0, "draft"),
        Review(number=1, asked=10).requested(),
        Review(number=1, asked=10).decided(60),
        moved(90, "draft", "to approve", 101),
        moved(130, "to approve", "purchase", 102),
        document(130, "purchase"),
    ]
    steps = values(World().append(facts).read_until(400), "odoo_approval_step_duration_seconds")
    assert steps["purchase", "review Tier 1"] == 50 * SECOND
    assert steps["purchase", "state to approve"] == 40 * SECOND
