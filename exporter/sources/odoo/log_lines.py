"""Odoo's server log, line by line: what a line says of a run, a webhook or a rule; everything else is passed over.

Pure. The format is Odoo's own (odoo/netsvc.py: time, pid, level, database, logger, message; times are UTC). Words of
scheduled actions: 14 and 15 `Starting job`, `Job ... done.`; 16 and 17 `Job done: ... (1.234s).`; from 18 on
`Job 'x' (7) starting`, `fully done (#loop 1; done 0; remaining 0; duration 0.05s)`. Addresses of webhooks hold secrets:
only their host is kept.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from exporter.domain.bodies import LogWritten
from exporter.domain.events import Event
from exporter.domain.redact import mask
from exporter.domain.runs import Result
from exporter.domain.times import moment

SOURCE = "odoo/log"
PRECISION = 1_000  # microseconds: the log shows milliseconds
LONGEST = 64 * 1024  # characters of a record that are looked at
_HEAD = re.compile(
    r"(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}) (?P<pid>\d{1,10}) (?P<level>[A-Z]{4,8}) (?P<db>[\w.?-]{1,63}) "
    r"(?P<logger>[\w.]{1,200}): (?P<message>[^\n]{0,4000})"
)
_CRON = "odoo.addons.base.models.ir_cron"
_ACTIONS = "odoo.addons.base.models.ir_actions"
AUTOMATION = "odoo.addons.base_automation.models.base_automation"
ACCESS = "werkzeug"
OF_THE_RULE = "Webhook Log"  # what a rule with `log_webhook_calls` writes into ir.logging itself
_RAISED = re.compile(r"(?P<type>[A-Za-z_][\w.]{0,199})(?::\s?(?P<text>.*))?")
_RESULTS: Mapping[str, Result] = {"fully done": "success", "partially done": "partial", "failed": "failure"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A record of the log that says something: of which database, when, and what names it."""

    database: str
    at: datetime
    name: str
    body: LogWritten


def parse(record: str) -> Line | None:
    """What a record (a line, and the traceback behind it) says; None for all that concerns nobody."""
    head = _HEAD.match(record)
    if head is None:
        return None
    body = said(head["logger"], head["message"], record[head.end() : LONGEST])
    at = _time(head["at"])
    if body is None or at is None:
        return None
    digest = blake2b(record[:LONGEST].encode("utf-8", "replace"), digest_size=12, person=b"odoo-otel-log")
    return Line(
        database=head["db"],
        at=at,
        name=digest.hexdigest(),
        body=replace(body, level=head["level"], pid=int(head["pid"])),
    )


def said(logger: str, message: str, rest: str) -> LogWritten | None:
    """What a logger's message says, with what stands behind its first line; None where that concerns nobody."""
    told = _READERS.get(logger)
    return told(message, rest) if told else None


def records(lines: Iterable[str]) -> Iterator[str]:
    """Lines put together: what does not begin with a time belongs to the record before it, as tracebacks do."""
    whole: list[str] = []
    size = 0
    for line in lines:
        if _HEAD.match(line) and whole:
            yield "\n".join(whole)
            whole, size = [], 0
        if size < LONGEST:
            whole.append(line.rstrip("\r\n"))
            size += len(line)
    if whole:
        yield "\n".join(whole)


def event_of(line: Line, seen: datetime, source: str = SOURCE) -> Event:
    """The Event of a line."""
    return Event(
        source=source,
        key=f"0/{line.name}",
        name="odoo.log.written",
        at=line.at,
        seen=seen,
        precision=PRECISION,
        body=line.body,
    )


def _time(text: str) -> datetime | None:
    try:
        return moment(text, lambda one: datetime.strptime(one, "%Y-%m-%d %H:%M:%S,%f").replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


Told = Callable[[re.Match[str], str], LogWritten]


def _started(found: re.Match[str], _: str) -> LogWritten:
    return LogWritten(says="cron.started", **_action(found))


def _ended(found: re.Match[str], _: str) -> LogWritten:
    return LogWritten(
        says="cron.ended",
        result=_RESULTS[found["how"]],
        seconds=float(found["seconds"]),
        loops=int(found["loops"]),
        done=int(found["done"]),
        remaining=int(found["remaining"]),
        **_action(found),
    )


def _timed_out(found: re.Match[str], _: str) -> LogWritten:
    return LogWritten(says="cron.ended", result="timeout", **_action(found))


def _done(found: re.Match[str], _: str) -> LogWritten:
    """Before 18: it came to its end, which is success."""
    seconds = found.groupdict().get("seconds")
    return LogWritten(
        says="cron.ended", result="success", seconds=float(seconds) if seconds else None, **_action(found)
    )


def _failed(found: re.Match[str], rest: str) -> LogWritten:
    """Before 18: it ended by raising."""
    kind, text = exception(rest)
    return LogWritten(says="cron.ended", result="failure", error_type=kind, error=text, **_action(found))


def _raised(found: re.Match[str], rest: str) -> LogWritten:
    """From 18 on: the action raised; how the run ended is said by another line."""
    kind, text = exception(rest)
    return LogWritten(says="cron.raised", error_type=kind, error=text, **_action(found))


def _action(found: re.Match[str]) -> dict[str, Any]:
    number = found.groupdict().get("id")
    return {"cron": _name(found["name"]), "cron_id": int(number) if number else None}


def _name(written: str) -> str:
    """A name as Odoo shows it with %r, or plain."""
    quoted = len(written) > 1 and written[0] == written[-1] and written[0] in "'\""
    return (written[1:-1].replace("\\'", "'") if quoted else written)[:200]


def _webhook(says: str) -> Told:
    def told(found: re.Match[str], _: str) -> LogWritten:
        return LogWritten(says=says, host=_host(found.groupdict().get("url") or ""))  # type: ignore[arg-type]

    return told


def _refused(found: re.Match[str], _: str) -> LogWritten:
    """The receiver answered with an error, or not at all: requests' words, with the address in them."""
    text = found["text"]
    address = re.search(r"https?://[^\s'\"]{1,500}|host='(?P<host>[^']{1,253})'", text)
    host = (address["host"] or _host(address[0])) if address else ""
    plain = re.sub(r"https?://\S{1,500}|with url: \S{1,500}", "[ADDRESS]", text)
    return LogWritten(says="webhook.failed", host=host, error_type="requests.RequestException", error=mask(plain))


def _host(url: str) -> str:
    found = re.match(r"https?://(?:[^/@\s]*@)?(?P<host>[\w.:\[\]-]{1,253})", url)
    return found["host"] if found else ""


def _late(_: re.Match[str], __: str) -> LogWritten:
    """Odoo waited one second: it may have arrived or not."""
    return LogWritten(
        says="webhook.failed", error_type="requests.ReadTimeout", error="timed out after 1 s", result="unknown"
    )


def _inbound(says: str) -> Told:
    def told(found: re.Match[str], rest: str) -> LogWritten:
        kind, text = exception(rest) if says == "inbound.failed" else ("", "")
        return LogWritten(says=says, rule=int(found["rule"]), error_type=kind, error=text)  # type: ignore[arg-type]

    return told


def _answered(found: re.Match[str], _: str) -> LogWritten:
    """A line of the access log; the address in it is a secret."""
    return LogWritten(says="inbound.answered", status=int(found["status"]))


def exception(traceback: str) -> tuple[str, str]:
    """(dotted class, masked text) of a traceback: its last line that is not indented."""
    for line in reversed(traceback.rstrip().split("\n")[-50:]):
        found = _RAISED.fullmatch(line.strip()) if line and not line[0].isspace() else None
        if found:
            return found["type"], mask(found["text"] or "")
    return "_OTHER", ""


_JOB = r"Job (?P<name>'(?:[^'\\]|\\.){0,200}'|\"[^\"]{0,200}\") \((?P<id>\d{1,10})\) "
_TABLES: Mapping[str, tuple[tuple[re.Pattern[str], Told], ...]] = {
    _CRON: (
        (re.compile(_JOB + r"starting"), _started),
        (
            re.compile(
                _JOB
                + r"(?P<how>fully done|partially done|failed) \(#loop (?P<loops>\d{1,9}); done (?P<done>\d{1,12}); "
                r"remaining (?P<remaining>\d{1,12}); duration (?P<seconds>\d{1,9}\.\d{1,6})s\)"
            ),
            _ended,
        ),
        (re.compile(_JOB + r"timed out"), _timed_out),
        (re.compile(_JOB + r"server action #\d{1,10} failed"), _raised),
        (re.compile(r"(?:Manually s|S)tarting job `(?P<name>[^`]{1,200})`\."), _started),
        (re.compile(r"Job `(?P<name>[^`]{1,200})` done\."), _done),
        (re.compile(r"Job done: `(?P<name>[^`]{1,200})` \((?P<seconds>\d{1,9}\.\d{1,6})s\)\."), _done),
        (
            re.compile(
                r"Call from cron (?P<name>.{1,200}) for server action #\d{1,10} failed in Job #(?P<id>\d{1,10})"
            ),
            _failed,
        ),
    ),
    _ACTIONS: (
        (re.compile(r"Webhook call to (?P<url>\S{1,2000}) - succeeded"), _webhook("webhook.succeeded")),
        (
            re.compile(r"Webhook call to (?P<url>\S{1,2000}) - cancelled due to a rollback"),
            _webhook("webhook.cancelled"),
        ),
        (re.compile(r"Webhook call to (?P<url>\S{1,2000})"), _webhook("webhook.called")),
        (re.compile(r"Webhook call timed out after 1s"), _late),
        (re.compile(r"Webhook call failed: (?P<text>.{0,2000})"), _refused),
    ),
    AUTOMATION: (
        (re.compile(r"Webhook #(?P<rule>\d{1,10}) triggered with payload"), _inbound("inbound.triggered")),
        (re.compile(r"Webhook #(?P<rule>\d{1,10}) (?:failed|could not be triggered)"), _inbound("inbound.failed")),
    ),
}


_COLOUR = r"(?:\x1b\[\d{1,3}m){0,4}"
_ACCESS = (
    (
        re.compile(
            r"\S{1,100} - - (?:\[[^\]]{1,60}\] )?\"" + _COLOUR + r"(?:POST|GET) /web/hook/[^\s\"]{1,500} "
            r"HTTP/[\d.]{1,5}" + _COLOUR + r"\" (?P<status>\d{3})\b"
        ),
        _answered,
    ),
)


def _reader(table: tuple[tuple[re.Pattern[str], Told], ...]) -> Callable[[str, str], LogWritten | None]:
    def read(message: str, rest: str) -> LogWritten | None:
        for shape, told in table:
            if found := shape.match(message):
                return told(found, rest)
        return None

    return read


_READERS = {logger: _reader(table) for logger, table in _TABLES.items()}
_READERS |= {OF_THE_RULE: _READERS[AUTOMATION]}
LOGGERS = tuple(_READERS)
_READERS |= {ACCESS: _reader(_ACCESS)}  # in ir.logging nobody looks for it: it holds a row for every request
