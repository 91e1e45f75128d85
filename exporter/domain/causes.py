"""From what failed to a Failure: whose fault it is, whether trying again helps, and which failures are the same one.

Ordered tables (facts/detection.md section 6): a status that says it all, then the class of the exception or its
SQLSTATE, then the words, then what is left of the status; else `unknown`: abstaining is better than guessing.
`human_delay` is for waits and never comes from an error.
"""

import re

from exporter.domain.cause_rules import (
    CLASSES,
    DOTTED,
    LAST_STATUSES,
    MAIL_SUBJECTS,
    PARTS,
    PASSES,
    SQLSTATES,
    STATUSES,
    Rule,
)
from exporter.domain.fingerprints import fingerprint
from exporter.domain.redact import mask, plain
from exporter.domain.runs import Cause, Failure
from exporter.domain.sayings import HINTS, PLAIN, said, words

__all__ = ["failure", "fingerprint"]

_FAILS = 400  # an HTTP status from here on is a failure; Slack answers 200 to everything
_HEAD = 1024  # characters of a message that are read: what a failure says, it says first
_CAUSES: frozenset[Cause] = frozenset({"auth", "schema", "timeout", "rate_limit", "outage", "data", "business_rule"})
_STATUS = re.compile(  # as requests, urllib3, axios, googleapiclient, zeep and JSON bodies say it
    r"(?i)\b([45]\d\d) (?:client error|server error|bad request|unauthori[sz]ed|forbidden|not found|conflict|gone"
    r"|too many requests|internal server error|bad gateway|service unavailable|gateway time)"
    r"|\b(?:http|http ?error|http status|status|status code|error code|response code|transport ?error"
    r"|connection failed|returned)(?:/\d\.\d)?[ :(]{1,2}([45]\d\d)\b"
    r"|\btoo many ([45]\d\d) error responses|^([45]\d\d) - |\n[a-z][\w ]{0,40} - ([45]\d\d)$"
    r"|\"(?:status|status_?code|code)\": ?\"?([45]\d\d)\b"
)
_SQLSTATE = re.compile(r"[0-9A-Z]{2}[0-9A-Z]{3}")
_MAIL_CODE = re.compile(r"\b[245]\.([1-7])\.\d{1,3}\b")


def failure(exception: str, message: str, status: int | None = None) -> Failure:
    """The Failure of an exception's class or code (dotted or not), its message (masked here) and an HTTP status."""
    head, name = message[:_HEAD], exception.rsplit(".", 1)[-1]
    status = status if status and status >= _FAILS else _status(name, head)
    cause, again = _cause(exception, name, head, status)
    return Failure(
        type=plain(exception),
        message=mask(message),
        failure_class="business" if cause == "business_rule" else "technical",
        cause=cause,
        transient=again or cause in PASSES,
        fingerprint=fingerprint(exception, head, status),
    )


def _status(name: str, head: str) -> int | None:
    """The HTTP status in a code (`"401"`, as n8n gives it) or in the words of requests, urllib3 and axios."""
    if len(name) == len("401") and name.isdecimal():
        return int(name)
    found = _STATUS.search(head)
    return int(found[found.lastindex or 0]) if found else None


def _cause(exception: str, name: str, head: str, status: int | None) -> tuple[Cause, bool]:
    """The cause, and whether the failure says itself that it will be tried again."""
    text = words(head)
    firm, rule = STATUSES.get(status or 0), _class(exception, name)
    again = rule is not None and rule.again
    found = _judged(firm, text) or _judged(rule, text)
    if found is None and (rule is None or rule.cause == "unknown") and not _shut(rule):
        found = said(text, PLAIN, _CAUSES) or said(text, HINTS, _CAUSES) or _mail(name, head)
        found = None if found == "unknown" else found
    if found is None and not _shut(rule):
        found = LAST_STATUSES.get(status or 0)
    return found or "unknown", again


def _shut(rule: Rule | None) -> bool:
    return rule is not None and rule.cause == "unknown" and rule.hearing == "nothing"


def _judged(rule: Rule | None, text: str) -> Cause | None:
    """What a rule says once the words were heard; None if it leaves the question open."""
    if rule is None:
        return None
    spoken = None
    if rule.hearing != "nothing":
        spoken = said(text, PLAIN, rule.unless)
    if spoken is None and rule.hearing == "anything":
        spoken = said(text, HINTS, rule.unless)
    if spoken == "unknown" and rule.cause != "business_rule":
        spoken = None
    return spoken or (None if rule.cause == "unknown" else rule.cause)


def _class(exception: str, name: str) -> Rule | None:
    found = DOTTED.get(exception) or CLASSES.get(name)
    if found is not None:
        return found
    if _SQLSTATE.fullmatch(name):
        return SQLSTATES.get(name) or SQLSTATES.get(name[:2])
    lowered = name.lower()
    return next((rule for part, rule in PARTS if part in lowered), None)


def _mail(name: str, head: str) -> Cause | None:
    code = _MAIL_CODE.search(head) if name.startswith("SMTP") else None
    return MAIL_SUBJECTS[code[1]] if code else None
