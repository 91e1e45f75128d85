"""The log of every version, from its text to the Run: exact start, end, result and exception (features 2, 10, 115).

The words are Odoo's own: of 19 as a real one wrote them, of the others as their sources have them (facts/odoo.md 1.1).
"""

import pytest

from exporter.domain.runs import Run
from exporter.sources.odoo.log_lines import event_of, parse, records
from tests.worlds import FLOW, T0, World, at, counted

TRACEBACK = """Traceback (most recent call last):
  File "/opt/odoo/odoo/addons/base/models/ir_cron.py", line 100, in _callback
    self.env['ir.actions.server'].browse(server_action_id).run()
odoo.exceptions.UserError: No connection."""
SINCE_18 = (
    ("10.123", "INFO", "Job 'LAB action' (42) starting"),
    ("12.468", "INFO", "Job 'LAB action' (42) fully done (#loop 1; done 0; remaining 0; duration 2.35s)"),
    ("20.500", "INFO", "Job 'LAB action' (42) starting"),
    ("20.749", "ERROR", f"Job 'LAB action' (42) server action #555 failed\n{TRACEBACK}"),
    ("20.750", "INFO", "Job 'LAB action' (42) failed (#loop 1; done 0; remaining 0; duration 0.25s)"),
)
FAILED_BEFORE_18 = (
    ("20.500", "INFO", "Starting job `LAB action`."),
    ("20.750", "ERROR", f"Call from cron LAB action for server action #555 failed in Job #42\n{TRACEBACK}"),
)
DONE_14 = (
    ("10.123", "INFO", "Starting job `LAB action`."),
    ("12.468", "INFO", "Job `LAB action` done."),
)
DONE_16 = (
    ("10.123", "INFO", "Starting job `LAB action`."),
    ("12.468", "INFO", "Job done: `LAB action` (2.345s)."),
)
LOGS = {
    14: (*DONE_14, *FAILED_BEFORE_18),
    15: (*DONE_14, *FAILED_BEFORE_18),
    16: (*DONE_16, *FAILED_BEFORE_18),
    17: (*DONE_16, *FAILED_BEFORE_18),
    18: SINCE_18,
    19: SINCE_18,
    20: SINCE_18,
    21: SINCE_18,
}


def text(version: int) -> str:
    """A file of that version's log, with what concerns nobody in between."""
    lines = []
    for seconds, level, message in LOGS[version]:
        stamp = f"{T0:%Y-%m-%d %H:%M}:{seconds.replace('.', ',')} 18744"
        lines.append(f"{stamp} {level} lab odoo.addons.base.models.ir_cron: {message}")
        lines.append(f'{stamp} INFO lab werkzeug: 127.0.0.1 "POST /json/2 HTTP/1.1" 200 - 3 0.002 0.014')
    return "\n".join(lines)


def runs(version: int) -> list[Run]:
    """What the log of that version alone tells."""
    found = [parse(record) for record in records(text(version).splitlines())]
    events = [event_of(line, line.at) for line in found if line]
    return World(flow=FLOW).append([counted(0, None), *events]).read_until(200).runs()


@pytest.mark.parametrize("version", LOGS)
def test_the_log_of_every_version_tells_exact_runs(version: int) -> None:
    """To the millisecond, with the result, and the exception of the one that failed."""
    good, bad = runs(version)
    assert (good.started_at, good.ended_at, good.result) == (at(10.123), at(12.468), "success")
    assert (bad.started_at, bad.ended_at, bad.result) == (at(20.5), at(20.75), "failure")
    assert bad.failure is not None
    assert (bad.failure.type, bad.failure.message) == ("odoo.exceptions.UserError", "No connection.")
    assert {run.subject for run in (good, bad)} == {"cron/42"}
