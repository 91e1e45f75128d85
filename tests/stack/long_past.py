"""A real database that has worked for long: orders, and the messages and tracked values of their approvals, by SQL.

One order is made and confirmed as people do it; every other one is a copy of its rows with other ids and times.
"""

from datetime import timedelta

from tests.stack.lab import Lab, company

STEPS = (("RFQ", "To Approve"), ("To Approve", "Purchase Order"))  # each order is submitted, then approved
# Row n of `rows` is of the moment `at`: evenly spread over `ago` seconds that ended `until` seconds before now.
_COPY = """
INSERT INTO {table}
SELECT (jsonb_populate_record(
  original, jsonb_build_object('id', new.id, 'create_date', at, 'write_date', at, {changes})
)).*
FROM {table} original, generate_series(1, :'rows'::int) AS n, LATERAL (
  SELECT :'first'::int + n AS id, now() AT TIME ZONE 'UTC'
    - make_interval(secs => :'until'::float + :'ago'::float * (1 - n::float / :'rows'::int)) AS at
) AS new
WHERE original.id = :'original'::int;
SELECT setval('{table}_id_seq', :'first'::int + :'rows'::int);
"""
_ORDER = "'name', 'OLD' || new.id, 'date_order', at, 'date_approve', at"
_MESSAGE = """
  'res_id', :'orders'::int + (n + 1) / 2, 'message_id', '<old-' || new.id || '@lab>', 'parent_id', NULL, 'date', at
"""
_VALUE = """
  'mail_message_id', :'messages'::int + n,
  'old_value_char', CASE n % 2 WHEN 1 THEN :'old1' ELSE :'old2' END,
  'new_value_char', CASE n % 2 WHEN 1 THEN :'new1' ELSE :'new2' END
"""


def write_past(lab: Lab, changes: int, ago: timedelta, until: timedelta) -> None:
    """So many tracked changes with their messages, evenly between two times before now; two make an order."""
    order = lab.create_purchase("admin", 100)
    lab.confirm("admin", order)
    value = lab.sql(
        "SELECT id, mail_message_id FROM mail_tracking_value WHERE new_value_char = :'new'", new=STEPS[1][1]
    )
    span = {"ago": (ago - until).total_seconds(), "until": until.total_seconds()}
    orders = _copy(lab, "purchase_order", _ORDER, order, rows=changes // len(STEPS), **span)
    message = int(value[-1]["mail_message_id"])
    messages = _copy(lab, "mail_message", _MESSAGE, message, rows=changes, orders=orders, **span)
    (old1, new1), (old2, new2) = STEPS
    labels = {"old1": old1, "new1": new1, "old2": old2, "new2": new2}
    _copy(lab, "mail_tracking_value", _VALUE, int(value[-1]["id"]), rows=changes, messages=messages, **labels, **span)
    lab.sql("ANALYZE")


def _copy(lab: Lab, table: str, changes: str, original: int, **values: str | float) -> int:
    """Copy a row so often, with these changes of it; the id before the first new one."""
    first = int(lab.sql('SELECT last_value FROM :"sequence"', sequence=f"{table}_id_seq")[0]["last_value"])
    lab.sql(_COPY.format(table=table, changes=changes), original=original, first=first, **values)
    return first


def entry(lab: Lab, name: str, **settings: object) -> dict[str, object]:
    """The lab's database in the configuration of the exporter, read by the user who may only read."""
    access = {"url": lab.odoo.url, "database": lab.odoo.db, "user": "mon", "api_key": company().keys["mon"]}
    return {"name": name, **access, "poll_seconds": 1, **settings}
