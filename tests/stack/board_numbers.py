"""What each query of the boards and each rule shows of the made-up company, worked out by hand.

A line is the rows of an answer: labels, and the number. Where a query adds databases up, the rows with `prod` alone
chosen are written, too; else they are those rows that say `prod`.

Quantiles: Prometheus goes through the bucket in which the rank lies in a straight line. For p95 of `Start delay`: 100
values of prod (60 up to 30 s, 40 up to 60 s) and 100 of shop (up to 1 s) have rank 190, 30 behind the first 160 of the
40 between 30 and 60 s: 30 + 30 * 30/40 = 52.5 s.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.stack.made_up import DAY, SENTENCE, TICKS, TRACE

WINDOW = 20  # seconds, what `$__rate_interval` stands for
TURNS = TICKS * WINDOW
LATE = 3.0  # seconds between a query and the clock of the test


@dataclass(frozen=True, slots=True)
class About:
    """A number that depends on when it was scraped: within a twentieth."""

    value: float


@dataclass(frozen=True, slots=True)
class Age:
    """Seconds since a time that lay so many seconds before the company began."""

    before: int


@dataclass(frozen=True, slots=True)
class Left:
    """Seconds to a time that lay so many seconds behind the beginning of the company."""

    after: int


Number = float | About | Age | Left
Row = tuple[Mapping[str, str], Number]


@dataclass(frozen=True, slots=True)
class Line:
    """The rows with every database chosen, and with prod alone."""

    every: Sequence[Row]
    prod: Sequence[Row]


def row(labels: str, number: Number, **more: str) -> Row:
    """`odoo_database=prod channel=root` and the number."""
    return {**dict(pair.split("=") for pair in labels.split()), **more}, number


def each(*rows: Row) -> Line:
    """Rows that name their database."""
    return Line(rows, [one for one in rows if one[0].get("odoo_database") == "prod"])


def alone(every: Number, prod: Number) -> Line:
    """One number without labels."""
    return Line([row("", every)], [row("", prod)])


def always(*rows: Row) -> Line:
    """Rows that are no database's."""
    return Line(rows, rows)


def grown(*rows: tuple[str, int, int]) -> Line:
    """Rows (labels, weight, weight in prod alone) of counters in one interval; what weighs nothing has no row."""
    return Line(
        [row(labels, About(every * TURNS)) for labels, every, _ in rows],
        [row(labels, About(prod * TURNS)) for labels, _, prod in rows if prod],
    )


def each_grown(*rows: tuple[str, int]) -> Line:
    """The same where the labels name the database."""
    return each(*(row(labels, About(weight * TURNS)) for labels, weight in rows))


def _databases(**numbers: Number) -> list[Row]:
    return [row(f"odoo_database={name}", number) for name, number in numbers.items()]


def _type(database: str, name: str, number: Number) -> Row:
    """A share by transaction type; the names have spaces."""
    return row(f"odoo_database={database}", number, type=name)


BOARDS: Mapping[str, Line] = {
    "overview: Databases up A": each(*_databases(prod=1, shop=1, dark=0)),
    "overview: Open findings A": Line(
        [row("severity=critical", 5), row("severity=warning", 5), row("severity=info", 1)],
        [row("severity=critical", 3), row("severity=warning", 2), row("severity=info", 1)],
    ),
    # Of 20 runs and 9 jobs a tick 4 and 1 go wrong; of prod's 10 and 4 the same.
    "overview: Failure share A": alone(5 / 29, 5 / 14),
    "overview: Findings A": each(
        row(
            "odoo_database=prod detector=outlier.duration subject=base.vacuum severity=warning name=Vacuum",
            1,
            since="2026-11-22T10:00:00Z",
            trace_id=TRACE,
            sentence=SENTENCE,
        ),
        row(
            "odoo_database=shop detector=outlier.delay subject=base.d severity=warning name=D trace_id=00",
            1,
            since="2026-11-22T11:00:00Z",
            sentence="It waited.",
        ),
    ),
    "overview: Scheduled actions by result A": Line(
        [
            row("result=success", About(16 * TURNS)),
            row("result=failure", About(2 * TURNS)),
            row("result=timeout", About(TURNS)),
            row("result=error", About(TURNS)),
        ],
        [
            row("result=success", About(6 * TURNS)),
            row("result=failure", About(2 * TURNS)),
            row("result=timeout", About(TURNS)),
            row("result=error", About(TURNS)),
        ],
    ),
    "overview: Queue jobs by result A": Line(
        [
            row("result=success", About(7 * TURNS)),
            row("result=failure", About(TURNS)),
            row("result=cancellation", About(TURNS)),
        ],
        [row("result=success", About(3 * TURNS)), row("result=failure", About(TURNS))],
    ),
    "overview: Failure share by database A": each(*_databases(prod=4 / 10, shop=0)),
    "overview: Failure share by database B": each(*_databases(prod=1 / 4, shop=0)),
    "overview: Start delay A": alone(30 + 30 * 30 / 40, 30 + 30 * 35 / 40),
    "overview: Start delay B": alone(60 + 60 * 2.5 / 10, 60 + 60 * 5 / 10),
    "overview: Duration of scheduled actions A": alone(1 + 4 * 75 / 80, 1 + 4 * 50 / 80),
    "overview: Duration of scheduled actions B": alone(30 + 30 * 42.5 / 50, 5 + 5 * 15 / 20),
    "overview: Duration of queue jobs A": alone(0.1 + 0.15 * 80 / 100, 0.1 + 0.15 * 50 / 100),
    "overview: Duration of queue jobs B": alone(0.25 + 0.25 * 52 / 60, 0.1 + 0.15 * 95 / 100),
    # Of a tick's 8 runs of base.vacuum 2 go wrong, of base.mail's 2 both, of 4 jobs 1, of n8n's 9 runs of Order 2.
    "overview: Exception rate by transaction type A": each(
        _type("prod", "action base.mail", 1),
        _type("prod", "action base.vacuum", 2 / 8),
        _type("prod", "job send", 1 / 4),
        _type("prod", "webhook invoice.payment_failed", 1),
        _type("prod", "webhook workflow_run", 1 / 4),
        _type("prod", "n8n Order", 2 / 9),
        _type("prod", "n8n Approval", 1 / 2),
        _type("shop", "action base.vacuum", 0),
        _type("shop", "job send", 0),
        _type("shop", "webhook mail_smtp", 1),
        _type("shop", "n8n Order", 1 / 5),
    ),
    "overview: Queue depth A": each(
        row("odoo_database=prod state=pending", 7),
        row("odoo_database=prod state=started", 1),
        row("odoo_database=shop state=pending", 3),
    ),
    "overview: Oldest pending job A": each(
        row("odoo_database=prod channel=root", Age(600)),
        row("odoo_database=prod channel=mail", Age(60)),
        row("odoo_database=shop channel=root", Age(4000)),
    ),
    "overview: Approvals waiting A": each(
        row("odoo_database=prod workflow=purchase", 5), row("odoo_database=shop workflow=sale", 2)
    ),
    "overview: Oldest approval A": each(
        row("odoo_database=prod workflow=purchase", Age(90_000)), row("odoo_database=shop workflow=sale", Age(700))
    ),
    "overview: Time of approval steps A": alone(3600 + 10_800 * 40 / 60, 3600 + 10_800 * 50 / 60),
    "overview: Time of approval steps B": alone(14_400 + 14_400 * 34 / 40, 14_400 + 14_400 * 35 / 40),
    "overview: Longest running job A": each(
        row("odoo_database=prod channel=root", Age(9000)), row("odoo_database=shop channel=root", Age(300))
    ),
    "overview: Age of the last good poll A": each(
        row("odoo_database=prod source=odoo/crons", Age(5)),
        row("odoo_database=prod source=odoo/jobs", Age(40)),
        row("odoo_database=shop source=odoo/jobs", Age(100)),
        row("odoo_database=dark source=odoo/crons", Age(1000)),
    ),
    "overview: Events not folded yet A": each(*_databases(prod=3, shop=0, dark=12)),
    "overview: Outbox A": always(row("signal=traces", 50), row("signal=logs", 7)),
    "overview: Sent and refused A": always(
        row("signal=traces outcome=accepted", About(4 * TICKS)),
        row("signal=logs outcome=accepted", 0),
        row("signal=logs outcome=rejected", 0),
    ),
    "overview: Since the detectors last looked A": each(*_databases(prod=Age(5), shop=Age(1000))),
    # Of 17 webhooks a tick 4 tell of a failure, of prod's 12 3; of 16 executions 4, of prod's 11 3.
    "integrations: Webhooks that failed A": alone(4 / 17, 3 / 12),
    "integrations: Executions that failed A": alone(4 / 16, 3 / 11),
    "integrations: Webhooks that never got through A": alone(2 / 14, 2 / 10),
    "integrations: Executions that wait A": each(*_databases(prod=3, shop=2)),
    "integrations: Webhooks by source A": each_grown(
        ("odoo_database=prod hook=stripe", 8),
        ("odoo_database=prod hook=github", 4),
        ("odoo_database=shop hook=stripe", 4),
        ("odoo_database=shop hook=mail", 1),
    ),
    "integrations: Webhooks that failed by source A": each_grown(
        ("odoo_database=prod hook=stripe kind=invoice.payment_failed", 2),
        ("odoo_database=prod hook=github kind=workflow_run", 1),
        ("odoo_database=shop hook=mail kind=mail_smtp", 1),
    ),
    "integrations: Requests to the hooks A": grown(
        ("hook=stripe outcome=accepted", 8, 8),
        ("hook=stripe outcome=repeated", 1, 1),
        ("hook=stripe outcome=signature", 2, 2),
        ("hook=unknown outcome=unknown", 1, 1),
    ),
    "integrations: Time on the way A": Line(
        [row("hook=stripe", 0.5 + 0.5 * 90 / 100), row("hook=github", 0.1 * 95 / 100)],
        [row("hook=stripe", 0.25 + 0.25 * 95 / 100), row("hook=github", 0.1 * 95 / 100)],
    ),
    "integrations: Schema drift A": grown(("hook=stripe field=status", 1, 1)),
    "integrations: Webhooks in Odoo's log A": each_grown(
        ("odoo_database=prod direction=odoo-out host=n8n.example result=success", 5),
        ("odoo_database=prod direction=odoo-out host=n8n.example result=failure", 1),
        ("odoo_database=shop direction=odoo-in host=none result=success", 2),
    ),
    "integrations: Expected, received, executed A": each_grown(("odoo_database=prod", 10), ("odoo_database=shop", 4)),
    "integrations: Expected, received, executed B": each_grown(("odoo_database=prod", 11), ("odoo_database=shop", 4)),
    "integrations: Expected, received, executed C": each_grown(("odoo_database=prod", 8), ("odoo_database=shop", 4)),
    "integrations: Where they ended A": each_grown(
        ("odoo_database=prod rule=7 outcome=dropped", 1),
        ("odoo_database=prod rule=7 outcome=not_executed", 1),
        ("odoo_database=prod rule=7 outcome=rolled_back", 2),
        ("odoo_database=shop rule=11 outcome=unchanged", 1),
    ),
    "integrations: Executions by workflow and result A": grown(
        ("workflow=Order result=success", 11, 7),
        ("workflow=Order result=failure", 2, 2),
        ("workflow=Order result=timeout", 1, 0),
        ("workflow=Approval result=error", 1, 1),
        ("workflow=Approval result=cancellation", 1, 1),
    ),
    # Of Order 80 of prod up to 1 s, 20 of prod and 100 of shop up to 5 s; of Approval 10 between 30 and 60 s.
    "integrations: Duration of executions A": Line(
        [row("workflow=Order", 1 + 4 * 20 / 120), row("workflow=Approval", 45)],
        [row("workflow=Order", 0.5 + 0.5 * 50 / 80), row("workflow=Approval", 45)],
    ),
    "integrations: Duration of executions B": Line(
        [row("workflow=Order", 1 + 4 * 110 / 120), row("workflow=Approval", 30 + 30 * 95 / 100)],
        [row("workflow=Order", 1 + 4 * 15 / 20), row("workflow=Approval", 30 + 30 * 95 / 100)],
    ),
    "integrations: Executions that go on A": each(
        row("odoo_database=prod workflow=Approval state=waiting", 3),
        row("odoo_database=prod workflow=Order state=running", 1),
        row("odoo_database=shop workflow=Approval state=waiting", 2),
    ),
    "integrations: Longest wait A": each(
        row("odoo_database=prod workflow=Approval", Age(5000)), row("odoo_database=shop workflow=Approval", Age(60))
    ),
    "integrations: Nodes that failed A": grown(
        ("workflow=Order error_type=NodeApiError continued=false", 3, 2),
        ("workflow=Sync error_type=ECONNRESET continued=true", 1, 1),
    ),
    "integrations: Time parked A": Line(
        [row("wait=human", 900 + 2700 * 95 / 100), row("wait=external", 60 + 240 * 95 / 100)],
        [row("wait=human", 900 + 2700 * 95 / 100)],
    ),
    "integrations: Failures by cause A": grown(
        ("kind=execution cause=auth", 2, 2),
        ("kind=execution cause=timeout", 1, 1),
        ("kind=delivery cause=data", 2, 2),
        ("kind=cron cause=outage", 3, 0),
    ),
    "integrations: Failures by class A": grown(
        ("class=technical transient=false", 2, 2),
        ("class=technical transient=true", 4, 1),
        ("class=business transient=false", 2, 2),
    ),
    "integrations: Documents that wait A": each(
        row("odoo_database=prod workflow=purchase state=to_approve", 4),
        row("odoo_database=prod workflow=purchase state=sent", 1),
        row("odoo_database=shop workflow=sale state=to_approve", 2),
    ),
    "integrations: Decisions A": grown(
        ("workflow=purchase decision=approved", 3, 3),
        ("workflow=purchase decision=refused", 1, 1),
        ("workflow=sale decision=approved", 2, 0),
    ),
    "integrations: Time of each step A": Line(
        [
            row("workflow=purchase step=to_approve", 14_400 + 14_400 * 35 / 40),
            row("workflow=sale step=to_approve", 60 + 240 * 95 / 100),
        ],
        [row("workflow=purchase step=to_approve", 14_400 + 14_400 * 35 / 40)],
    ),
    "integrations: Longest approval A": each(
        row("odoo_database=prod workflow=purchase", Age(90_000)), row("odoo_database=shop workflow=sale", Age(700))
    ),
}


def _finding(detector: str, subject: str, severity: str, database: str = "prod") -> Row:
    return row(f"odoo_database={database} detector={detector} subject={subject} severity={severity}", 1)


RULES: Mapping[str, Sequence[Row]] = {
    "OdooDown": _databases(dark=0),
    "OdooCronFailing": [_finding("result.failing", "base.c", "warning")],  # shop's is closed
    "OdooCronLate": [_finding("schedule.late", "base.a", "info")],
    "OdooCronMissed": [_finding("schedule.missed", "base.mail", "critical")],
    "OdooCronStuck": [_finding("limit.stuck", "base.b", "critical")],
    "OdooSchedulerSilent": [_finding("scheduler.silent", "scheduler", "critical")],
    "OdooOutlier": [
        _finding("outlier.duration", "base.vacuum", "warning"),
        _finding("outlier.delay", "base.d", "warning", "shop"),
    ],
    "OdooWebhookMissing": [_finding("send.lost", "automation/11", "critical", "shop")],
    "OdooIntegrationSlow": [_finding("integration.slow", "hook/stripe", "warning", "shop")],
    "OdooExpectationAbsent": [_finding("expectation.absent", "charged", "critical", "shop")],
    "OdooRecordDuplicate": [_finding("record.duplicate", "sale.order", "warning", "shop")],
    # When the jobs were last read, 40 s (prod) and 100 s (shop) before the company began; shop's running one is young.
    "OdooJobStuck": [row("odoo_database=prod subject=root", 9000 - 40)],
    "OdooJobsWaiting": [row("odoo_database=shop subject=root", 4000 - 100)],
    "OdooOtelDown": [],
    # Shop's polls stand still after a good one; dark's were refused, which is OdooDown. Prod's facts wait.
    "OdooOtelStalled": [row("odoo_database=shop", 1), row("odoo_database=prod", Age(1000))],
    "OdooOtelOutboxGrowing": [row("", 7)],  # logs: nothing of them is accepted any more; traces flow
    "OdooOtelStoreFull": [row("", 1)],
    "OdooOtelConfigFaulty": [row("", 1)],
    "OdooOtelSpansRejected": [row("", 4)],
    "OdooOtelQuarantined": _databases(prod=3),
    "OdooApiKeyExpires": [row("odoo_database=prod", Left(DAY))],  # shop's lasts for a month
    "OdooDetectorsSilent": _databases(shop=Age(1000), dark=0),
    "OdooOtelWatchdog": [row("", 1)],
}


def faults(rows: Sequence[Row], answer: Sequence[tuple[Mapping[str, str], float]], age: float) -> list[str]:
    """How an answer differs from its line; `age` is how many seconds ago the company began."""
    expected = {frozenset(labels.items()): number for labels, number in rows}
    found = {frozenset(labels.items()): value for labels, value in answer}
    said = [f"{dict(key)} is not shown" for key in expected.keys() - found.keys()]
    said += [f"{dict(key)} is shown and not expected" for key in found.keys() - expected.keys()]
    said += [f"{len(answer) - len(found)} rows are shown twice"] if len(answer) != len(found) else []
    return said + [
        f"{dict(key)} is {found[key]}, not {expected[key]}"
        for key in expected.keys() & found.keys()
        if not _equal(expected[key], found[key], age)
    ]


def _equal(expected: Number, value: float, age: float) -> bool:
    match expected:
        case About(number):
            return abs(value - number) <= number / 20
        case Age(before):
            return abs(value - before - age) <= LATE
        case Left(after):
            return abs(value - after + age) <= LATE
        case number:
            return abs(value - number) <= 1e-6 * max(abs(number), 1e-3)
