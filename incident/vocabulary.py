"""The closed sets of words that an incident is told in."""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    DETECTION = "detection"
    DECLARATION = "declaration"
    TRIAGE = "triage"
    MITIGATION = "mitigation"
    RESOLUTION = "resolution"
    POST_INCIDENT = "post_incident"
    CLOSED = "closed"

    @property
    def number(self) -> int:
        """1 for detection to 6 for post-incident; 7 once closed."""
        return list(Phase).index(self) + 1

    @property
    def next(self) -> Phase:
        """The phase after this one; closed stays closed."""
        order = list(Phase)
        return order[min(order.index(self) + 1, len(order) - 1)]

    @property
    def label(self) -> str:
        return self.value.replace("_", "-")


class Severity(StrEnum):
    SEV1 = "SEV1"
    SEV2 = "SEV2"
    SEV3 = "SEV3"

    @property
    def rank(self) -> int:
        """1 is the worst."""
        return int(self.value[3:])


class Role(StrEnum):
    COMMANDER = "commander"
    COMMUNICATIONS = "communications"
    SCRIBE = "scribe"
    OPERATIONS = "operations"


class Access(StrEnum):
    """What somebody who is signed in may be, for all incidents; `Role` is what a person holds in one."""

    VIEWER = "viewer"
    RESPONDER = "responder"
    COMMANDER = "commander"
    COMMUNICATIONS = "communications"
    ADMIN = "admin"
    AUDITOR = "auditor"


class Via(StrEnum):
    """The doors through which people and machines come in."""

    WEB = "web"
    CLI = "cli"
    API = "api"
    CHAT = "chat"
    WEBHOOK = "webhook"
    LINK = "link"
    MAIL = "mail"


class Criterion(StrEnum):
    """The three criteria of resolution that people confirm; the fourth is the verification period."""

    SYMPTOM_RESOLVED = "symptom_resolved"
    METRICS_AT_BASELINE = "metrics_at_baseline"
    ALERTS_CLEARED = "alerts_cleared"


class MitigationOption(StrEnum):
    """In order of preference."""

    ROLLBACK = "rollback"
    SCALE = "scale"
    RESTART = "restart"
    FAILOVER = "failover"
    FEATURE_DISABLE = "feature_disable"
    HOTFIX = "hotfix"


class Audience(StrEnum):
    INTERNAL = "internal"
    EXTERNAL = "external"


class PublicStatus(StrEnum):
    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MONITORING = "monitoring"
    RESOLVED = "resolved"


class Dismissal(StrEnum):
    FALSE_ALARM = "false_alarm"
    DUPLICATE = "duplicate"
    NOT_PRODUCTION = "not_production"
    PLANNED_MAINTENANCE = "planned_maintenance"


class Signal(StrEnum):
    """What a measurement tells of."""

    ERRORS = "errors"
    LATENCY = "latency"
    TRAFFIC = "traffic"
    SATURATION = "saturation"


class Better(StrEnum):
    """Which values of a measurement are the better ones."""

    LOWER = "lower"
    HIGHER = "higher"
