"""The detectors' own log."""

import json
import logging

from detectors.logs import JsonLines


def test_a_record_is_one_json_line() -> None:
    """Whatever stands in a message, and with its extras."""
    record = logging.makeLogRecord(
        {"msg": "a\nb %s", "args": ("\x1b[31m",), "levelname": "INFO", "name": "detectors", "tenant": "acme"}
    )
    line = JsonLines().format(record)

    assert "\n" not in line
    assert "\x1b" not in line
    assert {**json.loads(line), "at": ""} == {
        "at": "",
        "level": "info",
        "logger": "detectors",
        "message": "a\nb \x1b[31m",
        "tenant": "acme",
    }


def test_a_traceback_is_in_it() -> None:
    """An exception is a field."""
    record = logging.makeLogRecord({"msg": "x", "exc_info": (ValueError, ValueError("why"), None)})

    assert "ValueError: why" in json.loads(JsonLines().format(record))["exception"]
