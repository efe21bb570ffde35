"""The command line's table of verbs is what the incident takes, no more and no less."""

from __future__ import annotations

import types
from enum import StrEnum
from typing import Any, Union, get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from incident.commands import COMMANDS, ENVELOPE, Factors, Open
from incident.refusals import CODES
from incident.vocabulary import Phase
from starter.cli.catalogue import MADE_AT, names, sections, verb_of
from starter.cli.failures import FOR_PEOPLE_TO_SAY, HINTS
from starter.cli.verbs import FACTORS, OPENING, PHASES, SHORT, VERBS, Field

EVERY_COMMAND = ENVELOPE


def fields_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The model's fields by the name that goes over the wire; an object of factors as its own fields."""
    found: dict[str, FieldInfo] = {}
    for name, info in model.model_fields.items():
        if name == "factors":
            found |= {name: info, **Factors.model_fields}
        elif name not in EVERY_COMMAND:
            found[info.alias or name] = info
    return found


def words_of(annotation: Any) -> tuple[str, ...]:
    """The closed set of words that an annotation allows; none for anything else."""
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return tuple(annotation)
    return next((words_of(part) for part in get_args(annotation) if words_of(part)), ())


def shape_of(annotation: Any) -> str:
    """`flag`, `lines`, `number` or `text`: what an annotation's values look like on a command line."""
    parts = [part for part in get_args(annotation) if part is not type(None)]
    if get_origin(annotation) in (Union, types.UnionType):
        return shape_of(parts[0])
    if get_origin(annotation) is tuple:
        return "lines"
    if parts and get_origin(annotation) is not tuple:
        return shape_of(parts[0])
    return {bool: "flag", float: "number"}.get(annotation, "text")


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_field_of_a_command_is_an_option(verb: str) -> None:
    """A verb's options are its command's fields: the same names, needed alike, with the same words to choose from."""
    model = fields_of(COMMANDS[verb])
    table = {field.name: field for field in VERBS[verb].fields}

    assert set(model) == set(table)
    assert {name for name, info in model.items() if info.is_required()} == {name for name, field in table.items() if field.required}
    assert {name: words_of(info.annotation) for name, info in model.items()} == {name: field.choices for name, field in table.items()}
    assert {name: shape_of(info.annotation) for name, info in model.items()} == {name: shape(field) for name, field in table.items()}


def shape(field: Field) -> str:
    return field.kind if field.kind in {"flag", "lines", "number"} else "text"


def test_there_is_a_verb_for_every_command() -> None:
    """Nothing that the incident takes is out of the command line's reach, and nothing is offered that it does not take."""
    assert set(COMMANDS) == set(VERBS)


def test_opening_offers_what_an_opening_takes() -> None:
    """The options of report and declare are the fields of an opening."""
    assert {field.name for field in OPENING} == set(fields_of(Open))
    assert [field.name for field in FACTORS] == list(Factors.model_fields)


def test_declare_of_an_existing_one_takes_fields_of_an_opening_too() -> None:
    """One declare serves both: what declares an existing incident may be said of a new one."""
    assert {field.name for field in VERBS["declare"].fields} <= {field.name for field in OPENING}


@pytest.mark.parametrize("verb", VERBS.values(), ids=lambda verb: verb.name)
def test_named_fields_exist(verb: Any) -> None:
    """What -m and bare words fill are fields of the verb."""
    table = {field.name for field in verb.fields}

    assert verb.main is None or verb.main in table
    assert set(verb.places) <= table


def test_the_phases_are_the_process_s() -> None:
    """The command line knows the phases in their order."""
    assert tuple(Phase) == PHASES


def test_every_command_is_listed_in_the_help() -> None:
    """Each name that can be typed stands in the help, and each that stands there can be typed."""
    listed = {name for _, commands in sections() for shown, _ in commands for name in shown.split(", ")}

    assert listed == set(names())
    assert all(name in MADE_AT or verb_of(name) for name in names())


def test_short_forms_are_of_real_verbs() -> None:
    """What is typed at 3 a.m. is a verb of the process."""
    assert set(SHORT.values()) <= set(VERBS)


def test_hints_are_for_refusals_that_exist() -> None:
    """A hint that no refusal has would never be read."""
    assert set(HINTS) <= set(CODES)


def test_what_people_may_confirm_is_known_by_the_words_of_the_process() -> None:
    """The command line tells it from what monitoring says, and would advise wrongly in other words."""
    assert {code: CODES[code][0] for code in ("metrics-not-at-baseline", "alerts-still-firing")} == FOR_PEOPLE_TO_SAY
