"""When an automation rule fires, by its trigger and its conditions (base_automation.py of Odoo 19); pure."""

from collections.abc import Mapping

from msgspec import Struct

from exporter.sources.odoo.conditions import ALL, NONE, Values, values

EVERY = "*"  # any state
CREATED = "on_create"
MADE_OR_WRITTEN = "on_create_or_write"
CHANGED = frozenset({"on_state_set", MADE_OR_WRITTEN, "on_write"})
WHEN: Mapping[str, str] = {
    "on_time": "at a time",
    "on_time_created": "some time after the record was made",
    "on_time_updated": "some time after the record was changed",
    "on_unlink": "when the record is deleted",
    "on_change": "while somebody edits",
    "on_webhook": "when somebody calls it",
    "on_message_received": "when a message comes in",
    "on_message_sent": "when a message goes out",
}
OTHERWISE = "when something other than the state is set"


class Condition(Struct, frozen=True, kw_only=True):
    """A rule as it was read.

    Attributes:
        before, after: its domains, as text: of the record before it is written, and after.
        watched: ids of the fields of which one must change; none: any.
        state: the field whose history is read, "" where none of the model is; `state_id`: its id in Odoo, 0 unknown.
    """

    model: str
    trigger: str
    before: str = ""
    after: str = ""
    watched: tuple[int, ...] = ()
    state: str = ""
    state_id: int = 0


class Firing(Struct, frozen=True, kw_only=True):
    """What makes it fire, in the words of RuleCounted."""

    states: tuple[str, ...] = ()
    from_states: tuple[str, ...] = ()
    except_from: tuple[str, ...] = ()
    on_create: bool = False
    unevaluable: str = ""


def firing(rule: Condition) -> Firing:
    """When it fires, or why that cannot be said."""
    if rule.trigger != CREATED and rule.trigger not in CHANGED:
        return Firing(unevaluable=f"It fires {WHEN.get(rule.trigger, OTHERWISE)}.")
    if not rule.state:
        return Firing(unevaluable=f"The states of {rule.model} are not read: name it under `approvals`.")
    before, after = values(rule.before, rule.state), values(rule.after, rule.state)
    if before is None or after is None:
        return Firing(unevaluable="Its condition asks for more than the state, or for something that is computed.")
    return _created(after) if rule.trigger == CREATED else _changed(rule, before, after)


def _created(after: Values) -> Firing:
    if after != ALL:
        return Firing(unevaluable="It depends on the state in which a record is made.")
    return Firing(on_create=True)


def _changed(rule: Condition, before: Values, after: Values) -> Firing:
    """Which changes of the state fulfil both conditions; without a watched field those between them must be changes."""
    if after.but and after != ALL:
        return Firing(unevaluable="Its condition names only the states that do not count.")
    if NONE in {before, after}:
        return Firing(unevaluable="Its condition is never fulfilled.")
    if not rule.watched and before.both(after) != NONE:
        return Firing(unevaluable="It fires at every change of a record that is in such a state.")
    if rule.watched and rule.watched != (rule.state_id,):
        return Firing(unevaluable="It fires when fields other than the state change, too.")
    return Firing(
        states=(EVERY,) if after == ALL else tuple(sorted(after.of)),
        from_states=() if before.but else tuple(sorted(before.of)),
        except_from=tuple(sorted(before.of)) if before.but else (),
        on_create=after == ALL and rule.trigger == MADE_OR_WRITTEN,
    )
