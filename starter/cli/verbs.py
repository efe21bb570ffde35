"""The verbs and their options, as plain data.

This repeats what the models of `incident.commands` say, because importing those takes longer than a command line may
take to start. `tests/starter/test_cli_verbs.py` holds the two against each other: fields, what is required, choices.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["line", "text", "lines", "document", "flag", "choice", "severity", "number", "instant", "date", "object", "incident"]

SEVERITIES = ("SEV1", "SEV2", "SEV3")
PHASES = ("detection", "declaration", "triage", "mitigation", "resolution", "post_incident", "closed")
ROLES = ("commander", "communications", "scribe", "operations")
CRITERIA = ("symptom_resolved", "metrics_at_baseline", "alerts_cleared")
AUDIENCES = ("internal", "external")
STATUSES = ("investigating", "identified", "monitoring", "resolved")
MITIGATIONS = ("rollback", "scale", "restart", "failover", "feature_disable", "hotfix")
BETTER = ("lower", "higher")
SIGNALS = ("errors", "latency", "traffic", "saturation")
PORTS = ("chat", "status", "tickets", "paging", "oncall", "specialist", "archive", "calendar", "monitoring")
DISMISSALS = ("false_alarm", "duplicate", "not_production", "planned_maintenance")


class Field(NamedTuple):
    """One field of a command: an option of the same name, with dashes.

    `also` are further names of the option. `off` is the option that says no, where `--no-…` would read badly.
    `within` is the object that holds the field, where it does not stand by itself.
    """

    name: str
    kind: Kind
    help: str
    required: bool = False
    choices: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    off: str | None = None
    within: str | None = None

    @property
    def option(self) -> str:
        return "--" + self.name.replace("_", "-")


class Verb(NamedTuple):
    """One command. `main` is the field that `-m` and a bare `-` fill; `places` may be given without their option's name.

    `outward` says that people outside see it, or that it can't be taken back: a person is asked first.
    """

    name: str
    help: str
    fields: tuple[Field, ...] = ()
    main: str | None = None
    places: tuple[str, ...] = ()
    outward: bool = False

    @property
    def command(self) -> str:
        return self.name.replace("_", "-")


SEVERITY = Field("severity", "severity", "1, 2 or 3", choices=SEVERITIES, also=("--sev",))
TITLE = Field("title", "line", "what is wrong, in one line")
SUMMARY = Field("summary", "text", "what is known, in a few sentences")
SYMPTOM = Field("symptom", "text", "what people see")
USERS_AFFECTED = Field("users_affected", "line", 'how many, as people say it: "18% of checkouts in the EU"')
CUSTOMER_FACING = Field("customer_facing", "flag", "whether customers notice it")
STARTED_AT = Field("started_at", "instant", "when it began; without a zone it is UTC")
SERVICES = Field("services", "lines", "a service affected; repeat it for more", also=("--service", "--affected"))
CHANNEL = Field("channel", "flag", "ask for a channel where the severity has none by itself")
DISAGREES = Field("reason", "text", "why the severity is not what the factors say")
ALL_FACTORS = Field("factors", "object", 'the factors at once, as JSON: {"complete_outage": true}')
FACTORS = (
    Field("complete_outage", "flag", "nothing works any more", within="factors"),
    Field("data_loss_risk", "flag", "data is lost or damaged, or may be", within="factors"),
    Field("security_breach", "flag", "a breach is confirmed", within="factors"),
    Field("users_affected_percent", "number", "0 to 100", within="factors"),
    Field("workaround", "flag", "people can help themselves", within="factors"),
)

OPENING = (
    TITLE,
    SUMMARY,
    SYMPTOM,
    SERVICES,
    USERS_AFFECTED,
    CUSTOMER_FACING,
    STARTED_AT,
    SEVERITY,
    *FACTORS,
    ALL_FACTORS,
    DISAGREES,
    CHANNEL,
    Field("drill", "flag", "practice: marked everywhere, reaches nobody real"),
    Field("private", "flag", "seen only by those in it; nothing about it goes to the public"),
)
"""What opens an incident (`incident.commands.Open`)."""


def _required(field: Field) -> Field:
    return field._replace(required=True)


def _reason(help: str) -> Field:
    return Field("reason", "text", help, required=True)


def _text(help: str) -> Field:
    return Field("text", "text", help, required=True)


_DELIVERY = Field("delivery", "line", "its key or number, as deliveries lists it", required=True)
_ITEM = Field("item", "line", "its name, or the beginning of it", required=True)
_CRITERION = Field("criterion", "choice", "which of the three", required=True, choices=CRITERIA)

VERBS: dict[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb("acknowledge", "Say that you are on it: stops the paging."),
        Verb(
            "describe",
            "Write down what is known: symptom, services, users, start.",
            (
                SYMPTOM,
                Field("affected", "lines", "a service affected; repeat it for more", also=("--service", "--services")),
                USERS_AFFECTED,
                CUSTOMER_FACING,
                STARTED_AT,
            ),
            main="symptom",
        ),
        Verb(
            "declare",
            "Declare an incident: TITLE opens a new one, an ID declares one that is in detection.",
            (SEVERITY, *FACTORS, ALL_FACTORS, TITLE, SUMMARY, CUSTOMER_FACING, DISAGREES, CHANNEL),
            main="summary",
        ),
        Verb(
            "assign",
            "Give a person a role.",
            (
                Field("role", "choice", "which role", required=True, choices=ROLES),
                Field("person", "line", "who holds it from now on", required=True),
            ),
            places=("role", "person"),
        ),
        Verb(
            "change_severity",
            "Raise or lower the severity; every clock is planned anew.",
            (_required(SEVERITY), _reason("what has changed; to lower it, what now holds of the lower severity")),
            main="reason",
            places=("severity",),
        ),
        Verb(
            "check",
            "Tick an item of the checklist.",
            (_ITEM, Field("note", "text", "what was found")),
            main="note",
            places=("item",),
        ),
        Verb(
            "skip",
            "Put an item of the checklist aside, for a reason that is kept.",
            (_ITEM, _reason("why it is not done")),
            main="reason",
            places=("item",),
        ),
        Verb(
            "advance",
            "Go to the next phase; with open items only with a reason, and they stay owed.",
            (Field("reason", "text", "why to go on with items open"),),
            main="reason",
        ),
        Verb(
            "post_update",
            "Post a status update for the responders or for the public.",
            (
                Field("audience", "choice", "who is told", required=True, choices=AUDIENCES),
                _text("what they are told"),
                Field("status", "choice", "what the status page says", choices=STATUSES),
            ),
            main="text",
            places=("text",),
            outward=True,
        ),
        Verb("note", "Write something down in the timeline.", (_text("what to remember"),), main="text", places=("text",)),
        Verb("hypothesize", "Write down what may be the cause.", (_text("the hypothesis"),), main="text", places=("text",)),
        Verb(
            "mitigate",
            "Begin a mitigation, with its plan.",
            (
                Field("option", "choice", "in order of preference", required=True, choices=MITIGATIONS),
                Field("rationale", "text", "why this one, and why none that is preferred", required=True),
                Field("owner", "line", "who does it", required=True),
                Field("action", "text", "what is done", required=True),
                Field("verification", "lines", "how to see that it worked; repeat it for more", required=True),
                Field("rollback_plan", "text", "what to do if it fails", required=True),
            ),
            main="action",
        ),
        Verb(
            "approve",
            "Approve the change, as someone other than its owner.",
            (Field("note", "text", "what was looked at"),),
            main="note",
        ),
        Verb(
            "finish_mitigation",
            "Say whether the mitigation worked.",
            (
                Field("succeeded", "flag", "it worked, or it did not", required=True, off="--failed"),
                Field("note", "text", "what was seen"),
            ),
            main="note",
        ),
        Verb(
            "confirm",
            "Confirm one criterion of resolution.",
            (_CRITERION, Field("evidence", "text", "what shows it")),
            main="evidence",
            places=("criterion",),
        ),
        Verb(
            "withdraw",
            "Take a confirmed criterion back; verification starts again.",
            (_CRITERION, _reason("what shows that it does not hold")),
            main="reason",
            places=("criterion",),
        ),
        Verb(
            "measure",
            "Have a query measured that verification goes by, or drop one, with the reason.",
            (
                Field("name", "line", "what it is called", required=True),
                Field("expression", "text", "what monitoring is asked (PromQL)"),
                Field("unit", "line", "of its values"),
                Field("better", "choice", "which values are better (default: lower)", choices=BETTER),
                Field("signal", "choice", "what it tells of (default: errors)", choices=SIGNALS),
                Field("threshold", "number", "the worst value that is still well (default: the baseline decides)"),
                Field("drop", "flag", "measure it no more"),
                Field("reason", "text", "why it is dropped, or changed"),
            ),
            main="expression",
            places=("name",),
        ),
        Verb(
            "correct",
            "Confirm what was looked up by itself, or say what is right instead.",
            (
                Field("finding", "line", "related_alerts, deployments, known_issues or signals", required=True),
                Field("text", "text", "what is right instead; without it the finding is confirmed"),
            ),
            main="text",
            places=("finding",),
        ),
        Verb(
            "resolve",
            "Resolve it, once everything is verified.",
            (
                Field("root_cause", "text", "what caused it", required=True),
                Field("fix_applied", "text", "what was done about it", required=True),
                Field("next_steps", "lines", "what is still to do; repeat it for more", also=("--next-step",)),
            ),
            main="root_cause",
        ),
        Verb("reopen", "It was not over: go back.", (_reason("what shows it"),), main="reason"),
        Verb(
            "dispatch",
            "Ask a specialist for help.",
            (
                Field("specialist", "line", "whom to ask (default: incident-responder)"),
                Field("request", "text", "what exactly is needed", required=True),
            ),
            main="request",
            places=("request",),
        ),
        Verb(
            "file_report",
            "Hand in a specialist's report.",
            (Field("id", "line", "the dispatch, as show lists it", required=True), _text("the report")),
            main="text",
            places=("id",),
        ),
        Verb(
            "schedule_retrospective",
            "Fix the date of the blameless retrospective.",
            (Field("at", "instant", "when; without a zone it is UTC", required=True),),
            places=("at",),
        ),
        Verb(
            "add_action_item",
            "Add an action item, with owner and due date.",
            (
                Field("item", "text", "what is to be done", required=True),
                Field("owner", "line", "who does it", required=True),
                Field("due", "date", "by when, YYYY-MM-DD", required=True),
            ),
            main="item",
            places=("item",),
        ),
        Verb(
            "change_action_item",
            "Change what an action item says, who owns it, or when it is due.",
            (
                Field("id", "line", "as action list names it: AI-1", required=True),
                Field("item", "text", "what is to be done, in the place of what it says"),
                Field("owner", "line", "who does it from now on"),
                Field("due", "date", "by when, YYYY-MM-DD"),
                Field("reason", "text", "why"),
            ),
            main="item",
            places=("id",),
        ),
        Verb(
            "complete_action_item",
            "An action item is done.",
            (Field("id", "line", "as action list names it: AI-1", required=True),),
            places=("id",),
        ),
        Verb(
            "file_postmortem",
            "File the post-mortem, from a Markdown file or standard input.",
            (Field("document", "document", "the document itself", required=True),),
            main="document",
            places=("document",),
        ),
        Verb(
            "waive",
            "Give up one obligation on record.",
            (Field("obligation", "line", "a clock or an action item, as status names it", required=True), _reason("why it is let go")),
            main="reason",
            places=("obligation",),
        ),
        Verb("retry_delivery", "Have something told outside now that is parked, or was refused.", (_DELIVERY,), places=("delivery",)),
        Verb(
            "replace_delivery",
            "Tell something else, or somewhere else, in place of what has not arrived.",
            (
                _DELIVERY,
                Field("text", "text", "what it says instead"),
                Field("to", "line", "where it goes instead: a room, a person, an owner, a name"),
                Field("reason", "text", "why"),
            ),
            main="text",
            places=("delivery",),
        ),
        Verb(
            "give_up_delivery",
            "Let go of something that has not arrived outside, on record.",
            (_DELIVERY, _reason("why it is not told any more")),
            main="reason",
            places=("delivery",),
        ),
        Verb(
            "restrict",
            "Make it private: from now on only those in it see it.",
            (_reason("why it must not be seen"),),
            main="reason",
        ),
        Verb(
            "invite",
            "Let a person see a private incident, without giving a role.",
            (Field("person", "line", "who may see it from now on", required=True),),
            places=("person",),
        ),
        Verb("close", "Close it: nothing is owed any more."),
        Verb(
            "merge",
            "It is the same trouble as another incident: go on there, with all that is owed.",
            (Field("into", "incident", "the incident that goes on", required=True), Field("reason", "text", "what shows it")),
            main="reason",
        ),
        Verb(
            "dismiss",
            "It is not an incident; say what it is instead.",
            (
                _reason("how you know"),
                Field("as", "choice", "what it is instead", required=True, choices=DISMISSALS),
                Field("duplicate_of", "incident", "the incident that this one repeats"),
            ),
            main="reason",
            outward=True,
        ),
    )
}
"""Every verb by the name that the incident knows it by."""

SHORT = {
    "ack": "acknowledge",
    "sev": "change_severity",
    "role": "assign",
    "update": "post_update",
    "action add": "add_action_item",
    "action change": "change_action_item",
    "action done": "complete_action_item",
    "pm file": "file_postmortem",
    "delivery retry": "retry_delivery",
    "delivery replace": "replace_delivery",
    "delivery give-up": "give_up_delivery",
}
"""What people type at 3 a.m., and the verb that it is."""
