"""The commands of the process as data, so that options need no import of the models. A test holds the two together."""

from __future__ import annotations

from typing import NamedTuple

ROLES = ("commander", "communications", "scribe", "operations")
AUDIENCES = ("internal", "external")
STATUSES = ("investigating", "identified", "monitoring", "resolved")
OPTIONS = ("rollback", "scale", "restart", "failover", "feature_disable", "hotfix")
CRITERIA = ("symptom_resolved", "metrics_at_baseline", "alerts_cleared")
DISMISSALS = ("false_alarm", "duplicate", "not_production", "planned_maintenance")


class Field(NamedTuple):
    """One option. `kind`: text (may be long: `-` is standard input), line, list, flag (--x/--no-x), severity, or choice."""

    name: str
    kind: str = "line"
    required: bool = False
    choices: tuple[str, ...] = ()
    help: str = ""


class Verb(NamedTuple):
    name: str
    help: str
    fields: tuple[Field, ...] = ()
    short: str | None = None
    message: str | None = None
    """The field that `-m` fills."""


VERBS: tuple[Verb, ...] = (
    Verb("acknowledge", "Say that you are on it: stops the paging.", short="ack"),
    Verb(
        "describe",
        "Write down what is known.",
        (
            Field("symptom", "text"),
            Field("affected", "list", help="a service affected; repeat it for each"),
            Field("users_affected", help="how many, in words"),
            Field("customer_facing", "flag"),
            Field("started_at", help="ISO 8601, with the zone"),
        ),
        message="symptom",
    ),
    Verb(
        "assign",
        "Give a role to a person.",
        (Field("role", "choice", True, ROLES), Field("person", required=True)),
        short="role",
    ),
    Verb(
        "change_severity",
        "Raise or lower the severity, with the reason.",
        (Field("severity", "severity", True), Field("reason", "text", True)),
        short="sev",
        message="reason",
    ),
    Verb("check", "Tick one item of the checklist.", (Field("item", required=True), Field("note", "text")), message="note"),
    Verb("skip", "Put one item aside, for a reason.", (Field("item", required=True), Field("reason", "text", True)), message="reason"),
    Verb("advance", "Go to the next phase; with open items only with a reason.", (Field("reason", "text"),), message="reason"),
    Verb(
        "post_update",
        "Tell the responders (--internal) or the public (--external).",
        (Field("audience", "choice", True, AUDIENCES), Field("text", "text", True), Field("status", "choice", False, STATUSES)),
        short="update",
        message="text",
    ),
    Verb("note", "Write something down.", (Field("text", "text", True),), message="text"),
    Verb("hypothesize", "Write down what might be the cause.", (Field("text", "text", True),), message="text"),
    Verb(
        "mitigate",
        "Choose a way to restore service, with its plan.",
        (
            Field("option", "choice", True, OPTIONS),
            Field("rationale", "text", True),
            Field("owner", required=True),
            Field("action", "text", True),
            Field("verification", "list", True, help="how to see that it worked; repeat it for each"),
            Field("rollback_plan", "text", True),
        ),
        message="action",
    ),
    Verb("approve", "Approve the change; not by its owner.", (Field("note", "text"),), message="note"),
    Verb(
        "finish_mitigation",
        "Say whether the mitigation worked.",
        (Field("succeeded", "outcome", True), Field("note", "text")),
        message="note",
    ),
    Verb(
        "confirm",
        "Confirm one criterion of resolution.",
        (Field("criterion", "choice", True, CRITERIA), Field("evidence", "text")),
        message="evidence",
    ),
    Verb(
        "withdraw",
        "Take a confirmed criterion back.",
        (Field("criterion", "choice", True, CRITERIA), Field("reason", "text", True)),
        message="reason",
    ),
    Verb(
        "resolve",
        "Resolve it: all four criteria must hold.",
        (Field("root_cause", "text", True), Field("fix_applied", "text", True), Field("next_steps", "list")),
    ),
    Verb("reopen", "It was not over.", (Field("reason", "text", True),), message="reason"),
    Verb(
        "dispatch",
        "Ask a specialist for help.",
        (Field("specialist", help="default: incident-responder"), Field("request", "text", True)),
        message="request",
    ),
    Verb("file_report", "Hand in a specialist's report.", (Field("id", required=True), Field("text", "text", True)), message="text"),
    Verb("schedule_retrospective", "Give the retrospective a date.", (Field("at", required=True, help="ISO 8601, with the zone"),)),
    Verb(
        "add_action_item",
        "Add something to do.",
        (Field("item", "text", True), Field("owner", required=True), Field("due", required=True, help="YYYY-MM-DD")),
        message="item",
    ),
    Verb("complete_action_item", "An action item is done.", (Field("id", required=True),)),
    Verb(
        "file_postmortem",
        "File the post-mortem.",
        (Field("document", "text", True, help="Markdown; - is standard input"),),
        message="document",
    ),
    Verb(
        "waive",
        "Give up one obligation, on record.",
        (Field("obligation", required=True, help="a clock or an action item"), Field("reason", "text", True)),
        message="reason",
    ),
    Verb("close", "Close it: nothing may be owed any more."),
    Verb(
        "dismiss",
        "It is not an incident.",
        (Field("as", "choice", True, DISMISSALS), Field("reason", "text", True), Field("duplicate_of")),
        message="reason",
    ),
)

DECLARE: tuple[Field, ...] = (
    Field("severity", "severity"),
    Field("summary", "text"),
    Field("customer_facing", "flag"),
    Field("reason", "text", help="why the severity is not what the factors say"),
    Field("channel", "flag", help="ask for a channel where the severity has none"),
)
"""What declaring takes beside the title and the factors."""

OPENING: tuple[Field, ...] = (
    Field("services", "list", help="a service affected; repeat it for each (also --service)"),
    Field("symptom", "text"),
    Field("users_affected"),
    Field("started_at", help="ISO 8601, with the zone"),
)
"""What opening takes besides."""

FACTORS: tuple[Field, ...] = (
    Field("complete_outage", "flag"),
    Field("data_loss_risk", "flag"),
    Field("security_breach", "flag"),
    Field("users_affected_percent", "number"),
    Field("workaround", "flag"),
)

DASHED = {verb.name.replace("_", "-"): verb for verb in VERBS}
