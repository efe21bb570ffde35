"""What people may ask of an incident: one model a verb, checked for shape only.

Whether the process allows it is `lifecycle.decide`'s business. A shape error names the field and the rule
(`problems`), and nothing has happened.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, date, datetime
from typing import Annotated, Any, ClassVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from incident.queries import EXPRESSION_LIMIT, NAME_LIMIT, Query
from incident.vocabulary import Access, Audience, Better, Criterion, Dismissal, MitigationOption, PublicStatus, Role, Severity, Signal, Via

LINE_LIMIT = 300
TEXT_LIMIT = 10_000
DOCUMENT_LIMIT = 200_000
LIST_LIMIT = 50

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")
_INCIDENT_ID = re.compile(r"INC-\d{4}-\d{4,}")


def _printable(value: str) -> str:
    found = _CONTROL.search(value)
    if found:
        raise ValueError(f"holds the control character U+{ord(found.group()):04X} at position {found.start()}; remove it")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError("holds half of a surrogate pair, which is no character; remove it") from error
    return unicodedata.normalize("NFC", value).replace("\r\n", "\n").replace("\r", "\n").strip()


INVISIBLE = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
"""Unicode categories of characters that leave no mark by themselves: controls, joiners, directions, spaces."""


def _filled(value: str) -> str:
    value = _printable(value)
    if all(unicodedata.category(character) in INVISIBLE for character in value):
        raise ValueError("is empty; it needs at least one character that can be seen")
    return value


def _fits(value: str) -> str:
    size = len(value.encode())
    if size > DOCUMENT_LIMIT:
        raise ValueError(f"is {size:,} bytes long in UTF-8, and at most {DOCUMENT_LIMIT:,} fit; put the long form elsewhere and link it")
    return value


def _one_line(value: str) -> str:
    value = _filled(value)
    if "\n" in value or "\t" in value:
        raise ValueError("must be one line")
    return value


def _incident_id(value: str) -> str:
    value = value.strip()
    if not _INCIDENT_ID.fullmatch(value):
        raise ValueError("must look like INC-2026-0001")
    return value


def _utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is beyond the calendar's end when written in UTC") from error


def _severity(value: Any) -> Any:
    """`1`, `sev1` and `SEV1` are the same."""
    if isinstance(value, bool):
        return value
    text = str(value).strip().upper()
    return f"SEV{text}" if text in {"1", "2", "3"} else text


Line = Annotated[str, Field(max_length=LINE_LIMIT), AfterValidator(_one_line)]
Text = Annotated[str, Field(max_length=TEXT_LIMIT), AfterValidator(_filled)]
Document = Annotated[str, Field(max_length=DOCUMENT_LIMIT), AfterValidator(_filled), AfterValidator(_fits)]
Draft = Annotated[str, Field(max_length=DOCUMENT_LIMIT), AfterValidator(_printable)]
Lines = Annotated[tuple[Line, ...], Field(max_length=LIST_LIMIT)]
Instant = Annotated[AwareDatetime, AfterValidator(_utc)]
IncidentId = Annotated[str, AfterValidator(_incident_id)]
SeverityField = Annotated[Severity, BeforeValidator(_severity)]
Roles = Annotated[tuple[Access, ...], Field(max_length=len(Access))]

ENVELOPE = frozenset({"by", "key", "roles", "via"})
"""What every command says beside its own fields. `roles` and `via` are the door's word, never a person's."""


EARLIER = "earlier"


def _earlier(info: ValidationInfo) -> bool:
    """Whether shapes are held against what they were before the sixth edition."""
    return bool((info.context or {}).get(EARLIER))


class Command(BaseModel):
    """What every command says: who asks, and optionally the key under which it is asked once."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verb: ClassVar[str]

    by: Line = Field(description="who asks")
    key: Annotated[str, Field(max_length=200), AfterValidator(_one_line)] | None = Field(
        default=None, description="a repeat with the same key answers as the first did and adds nothing"
    )
    roles: Roles | None = Field(default=None, description="what the door vouches for; without it, everything is permitted")
    via: Via | None = Field(default=None, description="the door through which it came")


class Factors(BaseModel):
    """What the severity matrix decides from."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    complete_outage: bool = False
    data_loss_risk: bool = False
    security_breach: bool = False
    users_affected_percent: float = Field(default=0, ge=0, le=100, strict=False)
    workaround: bool = False


class Acknowledge(Command):
    """Say that you are on it: stops the paging."""

    verb = "acknowledge"


class Describe(Command):
    """Write down what is known: symptom, services, users, start."""

    verb = "describe"
    symptom: Text | None = None
    affected: Lines | None = Field(default=None, description="the services affected")
    users_affected: Line | None = None
    customer_facing: bool | None = None
    started_at: Instant | None = None

    @model_validator(mode="after")
    def _something(self) -> Describe:
        fields = (self.symptom, self.affected, self.users_affected, self.customer_facing, self.started_at)
        if all(value is None for value in fields):
            raise ValueError("describe says nothing: give at least one of symptom, affected, users_affected, customer_facing, started_at")
        return self


class Declare(Command):
    """Declare the incident: a severity, or the factors that decide it."""

    verb = "declare"
    severity: SeverityField | None = None
    factors: Factors | None = None
    title: Line | None = None
    summary: Text | None = None
    customer_facing: bool | None = None
    reason: Text | None = Field(default=None, description="why the severity is not what the factors say")
    channel: bool | None = Field(default=None, description="ask for a channel where the severity has none by itself")

    @model_validator(mode="after")
    def _decidable(self) -> Declare:
        if self.severity is None and self.factors is None:
            raise ValueError("declare needs severity (SEV1, SEV2 or SEV3) or factors to decide it from")
        return self


class Assign(Command):
    """Give a role to a person."""

    verb = "assign"
    role: Role
    person: Line


class ChangeSeverity(Command):
    """Raise or lower the severity, with the reason."""

    verb = "change_severity"
    severity: SeverityField
    reason: Text


class Check(Command):
    """Tick one item of the phase's checklist."""

    verb = "check"
    item: Line
    note: Text | None = None


class Skip(Command):
    """Put one item aside for a reason that is kept."""

    verb = "skip"
    item: Line
    reason: Text


class Advance(Command):
    """Go to the next phase; with open items only with a reason, and they stay owed until closing."""

    verb = "advance"
    reason: Text | None = None


class PostUpdate(Command):
    """Tell the responders or the public where things stand."""

    verb = "post_update"
    audience: Audience
    text: Text
    status: PublicStatus | None = None


class Note(Command):
    """Write something down."""

    verb = "note"
    text: Text


class Hypothesize(Command):
    """Write down what might be the cause."""

    verb = "hypothesize"
    text: Text


class Mitigate(Command):
    """Choose a way to restore service, with how to verify it and how to take it back."""

    verb = "mitigate"
    option: MitigationOption
    rationale: Text
    owner: Line
    action: Text
    verification: Annotated[tuple[Line, ...], Field(min_length=1, max_length=LIST_LIMIT)]
    rollback_plan: Text


class Approve(Command):
    """Formal change approval, by someone other than the owner."""

    verb = "approve"
    note: Text | None = None


class FinishMitigation(Command):
    """Say whether the mitigation worked."""

    verb = "finish_mitigation"
    succeeded: Annotated[bool, Field(strict=True)]
    note: Text | None = None


class Confirm(Command):
    """Confirm one criterion of resolution."""

    verb = "confirm"
    criterion: Criterion
    evidence: Text | None = None


class Withdraw(Command):
    """Take a confirmed criterion back; verification starts again."""

    verb = "withdraw"
    criterion: Criterion
    reason: Text


class Measure(Command):
    """Say what is measured: a query that verification goes by, or one to drop, with the reason."""

    verb = "measure"
    name: Annotated[str, Field(max_length=NAME_LIMIT), AfterValidator(_one_line)]
    expression: Annotated[str, Field(max_length=EXPRESSION_LIMIT), AfterValidator(_filled)] | None = None
    unit: Annotated[str, Field(max_length=20), AfterValidator(_one_line)] | None = None
    better: Better | None = None
    signal: Signal | None = None
    threshold: Annotated[float, Field(allow_inf_nan=False)] | None = Field(default=None, description="the worst value that is still well")
    drop: Annotated[bool, Field(strict=True)] = Field(default=False, description="measure it no more")
    reason: Text | None = Field(default=None, description="why it is dropped, or changed")

    @model_validator(mode="after")
    def _set_or_dropped(self) -> Measure:
        if self.drop and (self.expression or self.unit or self.better or self.signal or self.threshold is not None):
            raise ValueError("drop goes with name and reason only")
        if not self.drop and self.expression is None:
            raise ValueError("expression is needed: what monitoring is asked, or drop to measure it no more")
        return self

    def query(self) -> Query:
        given = {name: getattr(self, name) for name in ("expression", "unit", "better", "signal", "threshold")}
        return Query.model_validate({"name": self.name, **{name: value for name, value in given.items() if value is not None}})


class Correct(Command):
    """Confirm what was looked up by itself, or say what is right instead."""

    verb = "correct"
    finding: Line
    text: Text | None = Field(default=None, description="what is right instead; without it the finding is confirmed")


class Resolve(Command):
    """Resolve it: the four criteria must hold."""

    verb = "resolve"
    root_cause: Text
    fix_applied: Text
    next_steps: Lines | None = Field(default=None, description="what is still to do: one a line, or a list of them")

    @model_validator(mode="before")
    @classmethod
    def _one_text(cls, data: Any, info: ValidationInfo) -> Any:
        """One text is taken for its lines; a list may still be mistaken in its parts."""
        if isinstance(data, dict) and isinstance(data.get("next_steps"), str) and not _earlier(info):
            return {**data, "next_steps": [line for line in data["next_steps"].splitlines() if line.strip()] or [""]}
        return data


class Reopen(Command):
    """It was not over."""

    verb = "reopen"
    reason: Text


class DispatchSpecialist(Command):
    """Ask a specialist for help."""

    verb = "dispatch"
    specialist: Line = "incident-responder"
    request: Text


class FileReport(Command):
    """Hand in a specialist's report for the dispatch with this id."""

    verb = "file_report"
    id: Line
    text: Text


class ScheduleRetrospective(Command):
    """Give the blameless retrospective a date."""

    verb = "schedule_retrospective"
    at: Instant


class AddActionItem(Command):
    """Add something to do, with its owner and due date."""

    verb = "add_action_item"
    item: Text
    owner: Line
    due: date


class ChangeActionItem(Command):
    """Change what an action item says, who owns it, or when it is due."""

    verb = "change_action_item"
    id: Line
    item: Text | None = Field(default=None, description="what is to be done, in the place of what it says")
    owner: Line | None = None
    due: date | None = None
    reason: Text | None = None

    @model_validator(mode="after")
    def _something(self) -> ChangeActionItem:
        if self.item is None and self.owner is None and self.due is None:
            raise ValueError("change_action_item changes nothing: give at least one of item, owner, due")
        return self


class CompleteActionItem(Command):
    """An action item is done."""

    verb = "complete_action_item"
    id: Line


class FilePostmortem(Command):
    """File the post-mortem; filing it again amends it."""

    verb = "file_postmortem"
    document: Document


class Waive(Command):
    """Give up one obligation on record: a clock or an action item that the process lets go."""

    verb = "waive"
    obligation: Line
    reason: Text


class RetryDelivery(Command):
    """Have something told outside now that is parked, or that was refused."""

    verb = "retry_delivery"
    delivery: Line = Field(description="its key or number, as deliveries lists it")


class ReplaceDelivery(Command):
    """Have something else told outside instead of what has not arrived: another text, another target."""

    verb = "replace_delivery"
    delivery: Line = Field(description="its key or number, as deliveries lists it")
    text: Text | None = Field(default=None, description="what it says instead")
    to: Line | None = Field(default=None, description="where it goes instead: a room, a person, an owner, a name")
    reason: Text | None = None

    @model_validator(mode="after")
    def _something(self) -> ReplaceDelivery:
        if self.text is None and self.to is None:
            raise ValueError("text or to is needed: what it says instead, or where it goes")
        return self


class GiveUpDelivery(Command):
    """Let go of something that has not arrived outside, on record."""

    verb = "give_up_delivery"
    delivery: Line = Field(description="its key or number, as deliveries lists it")
    reason: Text


class Restrict(Command):
    """Make it private: from now on only those in it see it."""

    verb = "restrict"
    reason: Text


class Invite(Command):
    """Let a person see a private incident, without giving a role."""

    verb = "invite"
    person: Line


class Close(Command):
    """Close it: nothing may be owed any more."""

    verb = "close"


class Dismiss(Command):
    """It is not an incident (`as` says what it is instead)."""

    model_config = ConfigDict(populate_by_name=True)

    verb = "dismiss"
    reason: Text
    as_: Dismissal = Field(alias="as")
    duplicate_of: IncidentId | None = None

    @model_validator(mode="after")
    def _duplicate_of_what(self, info: ValidationInfo) -> Dismiss:
        if self.as_ is Dismissal.DUPLICATE and self.duplicate_of is None and _earlier(info):
            raise ValueError("duplicate_of is needed: the id of the incident that this one repeats")
        if self.as_ is not Dismissal.DUPLICATE and self.duplicate_of is not None:
            raise ValueError("duplicate_of goes with as=duplicate only")
        return self


class Merge(Command):
    """It is the same trouble as another incident: go on there, with all that is owed."""

    verb = "merge"
    into: IncidentId = Field(description="the incident that goes on")
    reason: Text | None = None


AFTER_THE_END = frozenset(
    {"change_action_item", "complete_action_item", "waive", "note", "retry_delivery", "replace_delivery", "give_up_delivery"}
)
"""What can still be done for an incident that is closed, by whoever sees to what it owes: itself, and then its follow-up."""

COMMANDS: dict[str, type[Command]] = {
    model.verb: model
    for model in (
        Acknowledge,
        Describe,
        Declare,
        Assign,
        ChangeSeverity,
        Check,
        Skip,
        Advance,
        PostUpdate,
        Note,
        Hypothesize,
        Mitigate,
        Approve,
        FinishMitigation,
        Confirm,
        Withdraw,
        Measure,
        Correct,
        Resolve,
        Reopen,
        DispatchSpecialist,
        FileReport,
        ScheduleRetrospective,
        AddActionItem,
        ChangeActionItem,
        CompleteActionItem,
        FilePostmortem,
        Waive,
        RetryDelivery,
        ReplaceDelivery,
        GiveUpDelivery,
        Restrict,
        Invite,
        Close,
        Dismiss,
        Merge,
    )
}


class Open(BaseModel):
    """What opens an incident: `describe` and `declare` together.

    With `severity` or `factors` it is declared at once, else it waits in detection.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Line
    key: Annotated[str, Field(max_length=200), AfterValidator(_one_line)] | None = None
    roles: Roles | None = None
    via: Via | None = None
    title: Line
    summary: Text | None = None
    symptom: Text | None = None
    services: Lines = ()
    users_affected: Line | None = None
    customer_facing: bool | None = None
    started_at: Instant | None = None
    severity: SeverityField | None = None
    factors: Factors | None = None
    reason: Text | None = None
    channel: bool | None = None
    drill: bool = False
    private: bool = Field(default=False, description="seen only by those in it; nothing about it goes to the public")

    @model_validator(mode="before")
    @classmethod
    def _titled(cls, data: Any) -> Any:
        """Without a title, the first line of what is said of the incident becomes it: at 3 a.m. a name can wait."""
        if not isinstance(data, dict) or data.get("title") is not None:
            return data
        for said in (data.get("summary"), data.get("symptom")):
            if isinstance(said, str) and (line := said.strip().partition("\n")[0].strip()):
                return {**data, "title": line if len(line) <= 120 else f"{line[:119]}…"}
        services = data.get("services") or data.get("affected")
        if isinstance(services, list | tuple) and services and isinstance(services[0], str):
            return {**data, "title": f"Trouble with {services[0]}"[:LINE_LIMIT]}
        return data

    @model_validator(mode="before")
    @classmethod
    def _affected_is_services(cls, data: Any) -> Any:
        """`affected`, as `describe` names it, is taken for `services`."""
        if isinstance(data, dict) and "affected" in data and "services" not in data:
            data = {**data, "services": data["affected"]}
            del data["affected"]
        return data


class InvalidInput(ValueError):
    """Input of the wrong shape. `problems` has one entry a mistake: the field and the rule it breaks."""

    def __init__(self, problems: list[dict[str, str]]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{problem['field']}: {problem['message']}" for problem in problems))


PLAIN = {"tuple_type": "must be a list", "model_type": "must be an object", "dict_type": "must be an object"}
"""What a mistake is called where pydantic names a type of Python's that no sender knows."""


def problems(error: ValidationError, *, earlier: bool = False) -> list[dict[str, str]]:
    """One `{"field", "message"}` for each mistake that pydantic found; values are not repeated back."""
    found: list[dict[str, str]] = []
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        field = ".".join(str(part) for part in item["loc"]) or "command"
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            message = "is not a field of this command"
        elif item["type"] == "missing":
            message = "is missing"
        elif item["type"] in PLAIN and not earlier:
            message = PLAIN[item["type"]]
        elif item["type"] == "string_too_long":
            message = f"{message}; shorten it, or put the long form in a document and link it"
        found.append({"field": field, "message": message})
    return found


def parse(verb: str, fields: object, *, earlier: bool = False) -> Command:
    """Read one command. `earlier`: by the shapes that an incident took before the sixth edition.

    Raises:
        InvalidInput: for an unknown verb, anything but an object, and every field of the wrong shape.
    """
    model = COMMANDS.get(verb)
    if model is None:
        raise InvalidInput([{"field": "verb", "message": f"{verb[:60]!r} is not a command; the commands are {', '.join(COMMANDS)}"}])
    if not isinstance(fields, dict):
        raise InvalidInput([{"field": verb, "message": f"takes one JSON object, not {type(fields).__name__}"}])
    try:
        return model.model_validate(fields, context={EARLIER: earlier})
    except ValidationError as error:
        raise InvalidInput(problems(error, earlier=earlier)) from error
