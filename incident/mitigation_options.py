"""The mitigation options in order of preference, each with when it applies."""

from __future__ import annotations

import re

from incident.vocabulary import MitigationOption

APPLIES: dict[MitigationOption, str] = {
    MitigationOption.ROLLBACK: "If recent deployment caused issue",
    MitigationOption.SCALE: "If capacity related",
    MitigationOption.RESTART: "If state corruption",
    MitigationOption.FAILOVER: "If regional/AZ issue",
    MitigationOption.FEATURE_DISABLE: "If specific feature causes issue",
    MitigationOption.HOTFIX: "If rollback not possible",
}
"""The process's own words; the order of the enumeration is the order of preference."""

_SPOKEN_OF: dict[MitigationOption, re.Pattern[str]] = {
    MitigationOption.ROLLBACK: re.compile(r"roll(?:ed|ing)?[ -]?back|revert|deploy|release", re.IGNORECASE),
    MitigationOption.SCALE: re.compile(r"scal(?:e|ing)|capacity|load|saturat|traffic", re.IGNORECASE),
    MitigationOption.RESTART: re.compile(r"re-?start|reboot|state|bounc", re.IGNORECASE),
    MitigationOption.FAILOVER: re.compile(r"fail(?:ing|ed)?[ -]?over|region|\baz\b|zone|replica|standby", re.IGNORECASE),
    MitigationOption.FEATURE_DISABLE: re.compile(r"feature|flag|disabl|switch(?:ed|ing)? off|turn(?:ed|ing)? off", re.IGNORECASE),
    MitigationOption.HOTFIX: re.compile(r"hot[ -]?fix|patch", re.IGNORECASE),
}


def label(option: MitigationOption) -> str:
    return option.value.replace("_", " ").capitalize()


def warnings(option: MitigationOption, rationale: str) -> tuple[str, ...]:
    """One sentence for each option that comes before `option` and that the rationale does not speak of."""
    order = list(MitigationOption)
    before = order[: order.index(option)]
    return tuple(
        f"{label(earlier)} comes first ({APPLIES[earlier][0].lower()}{APPLIES[earlier][1:]}); "
        "the rationale does not say why it does not apply."
        for earlier in before
        if not _SPOKEN_OF[earlier].search(rationale)
    )
