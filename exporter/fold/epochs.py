"""Ids that came again: behind a restore Odoo counts on from where the backup was made (docs/decisions/0014).

A row is known by its epoch, which its Event's key begins with, and its id. As one number rows stand in their order.
"""

from exporter.domain.events import Event

SPAN = 2**53  # no id is as large (sources/odoo/rows.LARGEST)


def placed(event: Event, one: int) -> int:
    """Epoch and id of a row as one number; in the first epoch that is its id."""
    epoch, _, _ = event.key.partition("/")
    return int(epoch) * SPAN + one if epoch.isdecimal() else one


def named(number: int) -> str:
    """As it stands in keys and roles: `17`, behind the first restore `1:17`."""
    epoch, one = divmod(number, SPAN)
    return f"{epoch}:{one}" if epoch else str(one)
