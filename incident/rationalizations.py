"""What people say to get round the process, and what it answers.

The table is the process's own. Recognising it is deliberately one-sided: a reason that cites what was
measured, done or agreed is honest even when it holds the same words, so evidence always wins. The phrases
are English; a reason in another language passes, and stands in the timeline for people to judge.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal, NamedTuple

from incident.model import Frozen
from incident.vocabulary import Severity


class Rationalization(Frozen):
    """One row: what is said, why that is wrong, what is required instead, and the code it is refused with.

    `wrong` and `required_action` are the process's words; `wrong` is empty where it gives none. `answer` is what
    the person who said it is told.
    """

    said: str
    wrong: str = ""
    required_action: str
    answer: str
    code: Literal["verification-incomplete", "postmortem-mandatory", "undocumented", "severity-downgrade-unjustified"]


DOCUMENT_LATER = Rationalization(
    said="Document later, fix first",
    wrong="Memory fades in hours",
    required_action="Document AS you fix",
    answer="Memory fades in hours.",
    code="undocumented",
)
SMALL_INCIDENT = Rationalization(
    said="Small incident, skip RCA",
    wrong="Small incidents reveal systemic issues",
    required_action="RCA for SEV1/SEV2 minimum",
    answer="Small incidents reveal systemic issues.",
    code="postmortem-mandatory",
)
OBVIOUS_CAUSE = Rationalization(
    said="Root cause is obvious",
    wrong="Obvious != correct",
    required_action="Investigate with data",
    answer="Obvious != correct.",
    code="undocumented",
)
SKIP_VERIFICATION = Rationalization(
    said="Skip verification period",
    wrong="Premature resolution = reopen",
    required_action="Wait full verification period",
    answer="Premature resolution = reopen.",
    code="verification-incomplete",
)
VERIFY_LATER = Rationalization(
    said="Mark resolved now, verify later",
    required_action="Wait full verification period",
    answer="Cannot mark resolved until verification complete. This prevents reopened incidents.",
    code="verification-incomplete",
)
CAUSE_KNOWN = Rationalization(
    said="Skip the RCA, we know what happened",
    required_action="Schedule within required timeline",
    answer="RCA is mandatory for this severity. Schedule within required timeline.",
    code="postmortem-mandatory",
)
NO_TIME = Rationalization(
    said="No time for documentation",
    required_action="Document AS you fix",
    answer="Real-time documentation takes 30 seconds per event. Memory loss causes worse rework.",
    code="undocumented",
)
FEW_USERS = Rationalization(
    said="only a few users",
    required_action="assess the business impact, not only the count",
    answer="“only a few users” does not say how bad it is.",
    code="severity-downgrade-unjustified",
)
NO_COMPLAINTS = Rationalization(
    said="nobody has complained",
    required_action="check the monitoring data",
    answer="“nobody has complained” does not say that nobody is affected.",
    code="severity-downgrade-unjustified",
)
WORKS_FOR_ME = Rationalization(
    said="it works for me",
    required_action="check more than one perspective",
    answer="“it works for me” is one perspective.",
    code="severity-downgrade-unjustified",
)
SIMILAR_ONE = Rationalization(
    said="a similar one was SEV3",
    required_action="assess each incident on its own",
    answer="“a similar one was SEV3” says nothing about this one.",
    code="severity-downgrade-unjustified",
)

RATIONALIZATIONS = (
    DOCUMENT_LATER,
    SMALL_INCIDENT,
    OBVIOUS_CAUSE,
    SKIP_VERIFICATION,
    VERIFY_LATER,
    CAUSE_KNOWN,
    NO_TIME,
    FEW_USERS,
    NO_COMPLAINTS,
    WORKS_FOR_ME,
    SIMILAR_ONE,
)
"""The anti-rationalization table, the pressures, and the refusals that go with severity."""


class _Signs(NamedTuple):
    """How a row is recognised: any of the phrases `says`, unless the text anywhere says one of `unless`."""

    row: Rationalization
    says: tuple[str, ...]
    unless: str


# Phrases are written in a small notation, over the words that `_plain` makes of a text: `a / b` is either phrase,
# `a|b` either word, `word*` any ending, `#` a number, `%` a percentage, `{name}` a phrase of the vocabulary, `?` after
# any of these that it may be missing, `...` up to seven words of the same sentence that turn nothing round, `^` and
# `$` the beginning and the end of the whole text.
_VOCABULARY = {
    "it": "it / this / that / things / everything / stuff / the incident / all of it",
    "people": "user|users|customer|customers|people|client*|account*|tenant*|merchant*|visitor*|subscriber*|person|persons|shopper*",
    "do": "do / does / did / will / should / would",
    "we": "we|i|everyone|everybody all|already? all|already?",
    "know": "know|knows|understand|understands",
    "was": "was|were|is|are|got|had|became|been",
    "event": "fix* / incident / outage / dust / service / call / rollback",
    "over": "is|are|have|has|calm*|quiet*|fix*|resolve*|recover*|settle*",
    "later": (
        "later|afterward*|tomorrow|eventually|monday / next week / some|another other? time / at some point / not now / in the morning"
        " / after the? {event} / after {it} / after we fix* / once|when {it} {over} / once|when we {over}"
        " / once|when the {event} / when there is time"
    ),
    "writing": (
        "document|documenting|documentation|doc|docs|note|notes|paperwork / be|get documented / write ups?"
        " / write|writing {it} / write down / take notes / fill {it}? in / log {it} / update the timeline"
    ),
    "skip": (
        "skip|skipping|skipped|drop|dropping|waive|waiving|bypass|bypassing|forget|ignore|ignoring|omit|omitting"
        " / shorten|shortening / cut short / no need|point|reason|use|sense for|to|of|in?"
        " / {do} not really|even? need|bother|want|require|have to|with? / why bother with?"
    ),
    "needless": "not really|even? needed|necessary|required|useful|worth* / unnecessary|pointless|overkill|needless / a waste",
    "verifying": "verification|verify|verifying|soak|wait|waiting / stability period / 15|fifteen min* / 15min*",
    "resolve": "mark|marking|call|set|close|closing|resolve|resolving",
    "check": "verify|check|test|confirm|watch|monitor",
    "small": "small|minor|tiny|trivial|little",
    "measured": (
        "diff|log|logs|logged|trace|traces|stacktrace|metric|metrics|dashboard*|graph|graphs|monitoring|bisect*|reproduc*|commit|commits"
        "|dump|dumps|profil*|confirmed|measured|query|queries|proven|evidence|url / data show*|says / shown by"
    ),
    "rca settled": (
        "sev3|optional|duplicate|covered|covers|filed|written|scheduled|booked|exists|combined|joint|shared|yet|otherincident / false alarm"
    ),
    "incident": "one|ones|incident*|issue*|outage*|problem*|thing*|time|times|case|cases|blip",
    "like this": "similar|same|identical|last|previous|prior|earlier|other|such",
    "low": "sev2|sev3|sev4",
    "fine": "work|works|working|loads|loading|fine|ok|okay|good|normal|up / all right",
    "mine": "for|to me / on|from my ... machine|laptop|phone|computer|end|side|browser|desk|home|pc / at my end",
    "more than me": (
        "other|others|everyone|everybody|synthetic*|probe|probes|metric*|monitoring|dashboard*|region|regions / and for / error rate*"
        " / {people} confirm* / support confirm*"
    ),
    "nobody": "nobody|noone / no one / none of the|our {people} / not a? single|one {people} / no {people} / {people} have|has|did|are not",
    "helping": "has|have|had|is|are|even|really|else|did|does|would|will|actually|ever|outside / seem* to",
    "complain": (
        "complain*|notice*|noticing|care|cares|cared|caring|call|called|calls|calling|shouted|shouting|screamed|screaming|report|reported|reporting"
        " / wrote|writing in"
    ),
    "complaints": "complaint*|grumbl* / {people}|support reports|tickets|calls|complaints / tickets|reports|calls from {people}",
    "few": (
        "few|couple|handful|one|two|three|four|five|some|# / a very? few / a couple|handful of?"
        " / a very? small|tiny number|fraction|group|share of"
    ),
    "of them": "of? our|the|internal|beta|free|small|test|affected|unlucky? internal|beta|free|small|test|affected|unlucky?",
    "refusing": "refused|rejected|declined",
}

_IMPROVEMENT = (
    "restored|recovered|recovering|recovery|rollback|revert*|mitigat*|contained|containment|failover|workaround*|stable|stabili*"
    " / fixed|resolved|repaired|patched|healthy|normali*|subsid*|improv*|reduced|dropped|decreased|fell|fallen|isolated"
    " / restarted|disabled|rerouted|shifted|drained|standby|replica*|partial|partially / roll* back / fail* over / work around"
    " / back to normal|baseline / back up|online|again|in|at / is|are back / brought ... back"
    " / works|working|up|running|available|healthy|serving|reachable|normal again / to|at|near normal|baseline / all green"
    " / down to / scaled up|out / switched|turned off / took|taken over / no longer / not|no a? complete outage"
    " / under|below|only|about % / less|fewer than % / at most %"
    " / no more? data is|being? being? lost|loss / no loss of data / no further / no new? errors"
    " / no more|customer|user? breach|risk|impact"
    " / errors|latency ... zero|0|0%|normal|baseline|down / error rate ... zero|0|0%|normal|baseline|down"
)
"""What a reason for lowering a severity may speak of: something that got better, or was smaller than thought."""

_SIGNS = (
    _Signs(
        VERIFY_LATER,
        (
            "verify|verifying|verification|verified ... {later}",
            "{resolve} ... {check} ... {later}",
            "{check} {it}? {later} ... {resolve}",
            "just|simply|please {resolve} {it} as? resolved|done|closed? already|now? $",
            "just|simply|please {resolve} {it} as? resolved|done|closed? already|now? ,",
            "mark {it}? as? resolved right? now",
            "^ {resolve} {it} right? now $",
        ),
        "sev3|criteria|approval / verified at / {refusing}",
    ),
    _Signs(
        CAUSE_KNOWN,
        (
            "{skip} ... rca ... {we} {know}",
            "{we} {know} ... {skip} ... rca",
            "{we} {know} exactly? what happened / {we} {know} exactly? what it was / {we} {know} exactly? what went wrong",
        ),
        "{rca settled} / {measured} / {refusing}",
    ),
    _Signs(
        NO_TIME,
        (
            "no|zero time ... {writing} / not enough|much time ... {writing} / lack|out|short of time ... {writing}",
            "not have|got the? time ... {writing}",
            "busy ... document|documenting|notes|documentation / busy ... write|writing {it}",
            "can not document {it}? now / can not write|take docs|notes|documentation",
            "{writing} just|only? slow* / {writing} takes too long / {writing} costs time / {writing} can wait",
            "{writing} is|are a waste|distraction",
            "^ sorry? ,? we|there|i? have|had|is|was? no|zero time for|right? that|this|it|now? now? $",
            "^ sorry? ,? we|i? are|am|was|were? too busy right? now? $ / ^ we|i? do|did? not have|enough time right? now? $",
        ),
        "approval|access / time zone / {refusing}",
    ),
    _Signs(
        DOCUMENT_LATER,
        (
            "{writing} ... {later}",
            "{later} ,? ... document / {later} ,? ... write {it}",
            "fix {it}? first ... {writing} / ^ fix {it}? first $",
        ),
        "approv*|formal|tracked|ticket|ticketid / action item / {refusing}",
    ),
    _Signs(
        SMALL_INCIDENT,
        (
            "{skip} ... rca",
            "rca ... {needless} / rca is|was|would? be? {needless}",
            "no rca / without an|a|the? rca",
            "too {small} ... rca / too short|simple ... rca / not worth|deserve|justify|warrant ... rca",
            "^ it|this? is|was? just|only|such? a|an? very|really|pretty? {small} {incident} $",
        ),
        "{rca settled} / rca template|tool|author|owner / {refusing}",
    ),
    _Signs(
        OBVIOUS_CAUSE,
        (
            "cause ... obvious|obviously|clear / cause ... self evident",
            "obvious|obviously what|why|where|root|cause / obvious|obviously it is",
            "obvious|obviously the deploy*|release|database|network|config*",
            "^ it|this? is? so|pretty|quite|totally? obvious|obviously $",
            "no need to investigate|dig|analyse|analyze / no need to look further|into",
            "{we} {know} the root? cause / {we} {know} why",
        ),
        "{measured} / otherincident / not|no yet|so|very? obvious|clear / {refusing}",
    ),
    _Signs(
        SKIP_VERIFICATION,
        (
            "{skip} ... {verifying}",
            "{verifying} ... {needless} / {verifying} period? is|was|would? be? {needless}",
            "{resolve} ... without the|any|a? verification|verifying|waiting / done ... without the|any|a? verification|verifying|waiting",
            "can|will not wait for? another|the? full? 15|fifteen|verification / can|will not wait that long",
        ),
        "sev3|approval / can not be? {resolve} / can not be resolved|closed|marked / {refusing}",
    ),
    _Signs(
        SIMILAR_ONE,
        (
            "{like this} ... {incident} ... {low} / {like this} {was} ... {low}",
            "last week|month|year|night|quarter ... {low}",
            "otherincident ... {was} ... {low}",
            "usually|normally|always ... {low}",
        ),
        "independently|unlike / on its own / own merit* / assessed separately / duplicate of / {refusing}",
    ),
    _Signs(
        WORKS_FOR_ME,
        (
            "{fine} fine|ok|well|again? {mine}",
            "work|works|working|loads|fine|ok|okay fine|ok|well? from|over? here",
            "i can not see|find|notice any|a|the? problem*|issue*|error*|outage*",
        ),
        "{more than me} / {refusing}",
    ),
    _Signs(
        NO_COMPLAINTS,
        (
            "{nobody} {helping}? {helping}? {complain}",
            "no|zero|without any|single|new|real? any|single|new|real? {complaints}",
            "not had|seen|heard|got|received any? {complaints} / not a? single|one {complaints}",
        ),
        "metric*|monitoring|dashboard*|graph*|log|logs|before / error rate* / alerts are? clear*|quiet|green / all clear / {refusing}",
    ),
    _Signs(
        FEW_USERS,
        (
            "only|just|barely|merely|maybe|mostly like? {few} {of them} {people} / no more than {few} {of them} {people}",
            "hardly|barely|scarcely any|anyone|anybody",
            "not that|so|very? many {of them} {people} / few {of them} {people} / handful|number of {of them} {people}",
        ),
        f"revenue|assessed / business impact / {{refusing}} / {_IMPROVEMENT}",
    ),
)

_CONDITIONS = {
    (Severity.SEV1, Severity.SEV2): "SEV1→2 when the primary service is restored, no data is being lost and any breach is contained",
    (Severity.SEV2, Severity.SEV3): (
        "SEV2→3 when under 10 % of users remain affected, a workaround is in place and there is no risk of it growing"
    ),
}
"""When a severity may be lowered, step by step, as the severity page says it."""


def _pattern(phrases: str) -> str:
    """The regular expression of `a / b` in the notation above; every word of the text ends in one space."""
    return "(?:" + "|".join("".join(_element(element) for element in _ELEMENT.findall(phrase)) for phrase in phrases.split(" / ")) + ")"


_ELEMENT = re.compile(r"\{[^}]*\}\S*|\S+")


def _element(element: str) -> str:
    if element == "...":
        return r"(?:(?!not |never |no longer |already )[^.\s]\S* ){0,7}?"
    if element == "^":
        return r"\A"
    if element == "$":
        return r"(?:[.,] )*\Z"
    core = element.removesuffix("?")
    words = "|".join(_pattern(_VOCABULARY[word[1:-1]]) if word.startswith("{") else _word(word) + " " for word in core.split("|"))
    return f"(?:{words})" + ("?" if core != element else "")


def _word(word: str) -> str:
    special = {"#": r"\d[\d.,]*", "%": r"\d[\d.,]*%"}
    return special.get(word) or (re.escape(word.removesuffix("*")) + (r"\w*" if word.endswith("*") else ""))


def _compiled(phrases: str) -> re.Pattern[str]:
    return re.compile(r"(?<!\S)" + _pattern(phrases))


_TURNED_ROUND = re.compile(
    r"(?<!\S)(?:(?<!why )not|never|no longer|rather than|instead of|refus\w+ to|declin\w+ to|nobody) (?:[^.,\s]+ ){0,3}\Z"
)
"""What before a phrase says its opposite: “do not skip verification”."""

_NOT_YET = re.compile(
    r"(?<!\S)(?:not|no|never|without|hardly|barely|yet to|will|should|hopefully|might|may|could|soon|until|trying to|failed to)"
    r" (?:[^.,\s]+ ){0,2}\Z"
)
"""What before an improvement says that it has not come: “will be restored soon”."""

_RECOGNISED = tuple((signs.row, tuple(map(_compiled, signs.says)), _compiled(signs.unless)) for signs in _SIGNS)
_IMPROVED = _compiled(_IMPROVEMENT)

_REWRITTEN = tuple(
    (re.compile(pattern), by)
    for pattern, by in (
        (r"https?://\S+", " url "),
        (r"[‘’ʼ`´]", "'"),
        (r"\bcan'?t\b|\bcannot\b", "can not"),
        (r"\bwon'?t\b", "will not"),
        (r"n't\b", " not"),
        (r"\b(does|do|did|is|was|has|have)nt\b", r"\1 not"),
        (r"'ll\b", " will"),
        (r"'re\b", " are"),
        (r"'m\b", " am"),
        (r"'ve\b", " have"),
        (r"\b(it|that|what)'?s\b|\b(this|there|cause|nobody|everything)'s\b", r"\1\2 is"),
        (r"\b(?:root[ -]cause analys[ie]s|post[ -]?mortems?|rcas|pir|retros?|retrospectives?)\b", "rca"),
        (r"\binc-\d{4}-\d{4,}\b", "otherincident"),
        (r"\bsev(?:erity)?[ -]?(?=\d)", "sev"),
        (r"\b[a-z][a-z0-9]+-\d+\b", "ticketid"),
        (r"(?<=\d) ?(?:%|percent\b|per cent\b)", "%"),
        (r"<", " under "),
        (r"\b(user|customer)-(?=\w)", r"\1_"),
        (r"'", ""),
        (r"(?:[.;!?]+(?=\s|\Z)|\n)", " . "),
        (r",(?!\d)", " , "),
        (r"[^\w%.,]+", " "),
    )
)
"""Contractions are written out, names and numbers get one shape, and punctuation becomes words of its own."""


def rationalization(text: str) -> Rationalization | None:
    """The row of the table that `text` argues with; None for a reason that stands on something else."""
    plain = _plain(text)
    for row, says, unless in _RECOGNISED:
        if any(_holds(phrase, plain, _TURNED_ROUND) for phrase in says) and not unless.search(plain):
            return row
    return None


def downgrade_problem(lowered_from: Severity, to: Severity, reason: str) -> str | None:
    """What a reason for lowering a severity fails to say; None where it speaks of an improvement, or nothing is lowered.

    The reading is generous: one thing that got better is enough, and whether it is true is for the people
    who read the timeline.
    """
    if to.rank <= lowered_from.rank or _holds(_IMPROVED, _plain(reason), _NOT_YET):
        return None
    steps = [condition for (above, below), condition in _CONDITIONS.items() if lowered_from.rank <= above.rank and below.rank <= to.rank]
    return f"The reason does not say what has improved. A severity is lowered {'; '.join(steps)}."


def _holds(phrase: re.Pattern[str], plain: str, opposite: re.Pattern[str]) -> bool:
    """Whether `plain` holds the phrase anywhere without its opposite just before."""
    return any(not opposite.search(plain[max(0, found.start() - 80) : found.start()]) for found in phrase.finditer(plain))


def _plain(text: str) -> str:
    """Lower-case words, each followed by one space."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    for pattern, by in _REWRITTEN:
        plain = pattern.sub(by, plain)
    return " ".join(plain.split()) + " "
