"""What people say to get round the process, and what it answers.

The table is the process's own. Recognising it is deliberately one-sided: a reason that cites what was
measured, done or agreed is honest even when it holds the same words, so evidence always wins.
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
    """How a row is recognised in plain lower-case text: any of `says`, and none of `unless` anywhere."""

    row: Rationalization
    says: tuple[str, ...]
    unless: str


_GAP = r"(?:(?!\b(?:not|never|no longer|already)\b)[^.;!?\n]){0,60}?"
"""Some words of the same sentence that turn nothing round."""

_LATER = (
    r"(?:later|afterwards?|tomorrow|eventually|at some point|some other time|another time|not now|monday|next week|in the morning"
    r"|(?:after|once|when) (?:we|it|the|this|that|everything|things|all) ?(?:\w+ ){0,2}?(?:fix\w*|incident|outage|is|are|have|has|over|up|back|done))"
)
_WRITING = (
    r"(?:document(?:ing|ation)?|be documented|get documented|docs?|notes?|paperwork|write[- ]?ups?|write (?:it|this|that|things|everything|stuff)"
    r"(?: all)?(?: down| up)?|write (?:up|down)|writing (?:it|this|that|things)(?: all)?(?: down| up)|take notes|fill (?:it|this|that) (?:in|out))"
)
_MEASURED = (
    r"\b(?:diff|logs?|logged|trace|traces|stack ?trace|metrics?|dashboards?|graphs?|monitoring|bisect\w*|reproduc\w+|commits?|dumps?|profil\w+"
    r"|confirmed|measured|query|queries|data show\w*|shown by|proven|evidence|https?://\S+)\b"
)
_SKIP = (
    r"(?:skip(?:ping|ped)?|drop(?:ping)?|waiv(?:e|ing)|bypass(?:ing)?|forget(?: about)?|ignor(?:e|ing)|omit(?:ting)?|cut(?:ting)? short|shorten(?:ing)?"
    r"|no (?:need|point|reason|use|sense)(?: \w+){0,3}? ?(?:for|in|to|of|about)?|(?:do|does|did|will|should) not (?:\w+ )?(?:need|want|bother|require)"
    r"(?: \w+)? ?(?:with|to|for)?|why bother(?: with)?|can(?: we)?(?: just)? (?:skip|drop))"
)
_NEEDLESS = r"(?:(?:is |are |was )?(?:not (?:\w+ )?(?:needed|necessary|worth|required|useful|deserved)|unnecessary|pointless|overkill|needless|a waste))"
_RCA_SETTLED = (
    r"\b(?:sev ?3|optional|duplicate|covered|covers|filed|written|scheduled|booked|exists|combined|joint|shared|yet|inc-\d|refused|not (?:an|a real) incident"
    r"|false alarm)\b"
)
_PEOPLE = r"(?:users?|customers?|people|clients?|accounts?|tenants?|merchants?|visitors?|subscribers?|persons?)"

_SIGNS = (
    _Signs(
        VERIFY_LATER,
        (
            rf"\b(?:verify|verifying|be verified|verification){_GAP}\b{_LATER}",
            rf"\b(?:mark|call|set|declare|close|resolve)\b{_GAP}\b(?:verify|check|test|confirm|watch|monitor){_GAP}\b{_LATER}",
            rf"\b(?:verify|check|test|confirm) (?:it |this |that )?{_LATER}{_GAP}\b(?:mark|close|resolve)",
            r"\b(?:just|simply|please) (?:mark|close|resolve|call) (?:it|this|that)(?: as)?(?: resolved| done| closed)?(?: already| now)?(?=[,.;!?\n]|$)",
            r"\bmark (?:it |this )?(?:as )?resolved (?:right )?now\b",
        ),
        r"\b(?:sev ?3|refused|verified at|criteria)\b",
    ),
    _Signs(
        CAUSE_KNOWN,
        (
            rf"\b{_SKIP} ?{_GAP}\brca\b{_GAP}\b(?:we|everyone|everybody|i)(?: all)?(?: already)? (?:know|knows|understand)\b",
            rf"\b(?:we|everyone|everybody|i)(?: all)?(?: already)? (?:know|knows|understand)\b{_GAP}{_SKIP} ?{_GAP}\brca\b",
            r"\b(?:we|everyone|everybody)(?: all)?(?: already)? (?:know|knows) (?:exactly )?(?:what happened|what it was|what went wrong)\b",
        ),
        rf"{_RCA_SETTLED}|{_MEASURED}",
    ),
    _Signs(
        NO_TIME,
        (
            rf"\b(?:no|not (?:\w+ )?enough|have no|not have(?: \w+)?|zero|lack of|out of|short of) time\b{_GAP}\b{_WRITING}",
            rf"\b(?:too busy|can ?not|busy){_GAP}\b(?:document(?:ing)?|write (?:it|this|that|things|notes)|take notes)\b(?! (?:\w+ )?(?:access|exist))",
            rf"\b{_WRITING} (?:\w+ )?(?:slows?|takes? too long|costs? (?:too much )?time|is a waste|are a waste|is a distraction|can wait)",
            r"\A(?:sorry,? )?(?:we (?:have|had) |there (?:is|was) )?(?:no time|not enough time|too busy|no time for (?:that|this))(?: (?:now|right now))?\W*\Z",
        ),
        r"\b(?:refused|time zone)\b",
    ),
    _Signs(
        DOCUMENT_LATER,
        (
            rf"\b{_WRITING}\b{_GAP}\b{_LATER}\b",
            rf"\b{_LATER},? ?{_GAP}\b(?:document|write (?:it|this|that|everything))\b",
            r"\bfix (?:it |this |things )?first\b(?=[^.;\n]*\b(?:docs?|document|write|notes|later|paperwork)\b)|\A\W*fix (?:it |this )?first\W*\Z",
        ),
        r"\b(?:approv\w+|formal|tracked|ticket|action item|ai-\d+|refused)\b",
    ),
    _Signs(
        SMALL_INCIDENT,
        (
            rf"\b{_SKIP} ?{_GAP}\brca\b",
            rf"\brca\b{_GAP}\b{_NEEDLESS}",
            rf"\brca\b[^.;!?\n]{{0,30}}?\b{_NEEDLESS}",
            r"\b(?:no|without(?: an| a| the)?) rca\b(?! (?:template|tool|owner|author|document template))",
            rf"\btoo (?:small|minor|short|trivial){_GAP}\brca\b",
            rf"\bnot (?:worth|deserve|justify|warrant)\b{_GAP}\brca\b",
            r"\A\W*(?:it (?:is|was) |this (?:is|was) )?(?:just |only |such )?(?:an? )?(?:very |really |pretty )?(?:small|minor|tiny|trivial|little) "
            r"(?:incident|outage|issue|problem|thing|one|blip)\W*\Z",
        ),
        _RCA_SETTLED,
    ),
    _Signs(
        OBVIOUS_CAUSE,
        (
            rf"\bcause\b{_GAP}(?<!not )(?<!no )\b(?:obvious|obviously|self[- ]evident|crystal clear|(?<!un)clear(?! up))\b",
            r"\b(?<!not )(?<!no )(?<!less )obvious(?:ly)? (?:what|why|where|root|cause|it is the|the (?:deploy\w*|release|database|network|config\w*))\b",
            r"\A\W*(?:it is |this is )?(?:so |pretty |quite |totally )?obvious(?:ly)?\W*\Z",
            r"\bno need to (?:investigate|look (?:further|into)|dig|analy[sz]e)\b",
            r"\b(?:we|i|everyone|everybody)(?: all)?(?: already)? (?:know|knows) (?:the (?:root )?cause|why|it is the)\b",
        ),
        rf"{_MEASURED}|\b(?:refused|inc-\d\S*)\b|\bnot (?:\w+ )?(?:obvious|clear)\b",
    ),
    _Signs(
        SKIP_VERIFICATION,
        (
            rf"\b{_SKIP} ?{_GAP}\b(?:verification|verify|verifying|stability period|soak|wait(?:ing)?(?: period)?|(?:15|fifteen)[- ]?min\w*)\b",
            rf"\b(?:verification|verifying|stability period|waiting|wait period)\b{_GAP}\b{_NEEDLESS}",
            rf"\b(?:verification|verifying|stability period|waiting|wait period) {_NEEDLESS}",
            r"\b(?:resolve|close|mark|done)\b[^.;!?\n]{0,40}?\bwithout (?:the |any |a )?(?:verification|verifying|waiting|wait)\b",
            r"\b(?:can ?not|do not want to|will not) wait(?: for)? (?:another |the |the full |full )?(?:15|fifteen|verification|that long)",
        ),
        r"\b(?:sev ?3|refused|can ?not (?:be )?(?:resolved?|closed?|marked?)|waiting for approval)\b",
    ),
    _Signs(
        SIMILAR_ONE,
        (
            r"\b(?:similar|same|identical|last|previous|prior|earlier|other|such) (?:\w+ )?(?:ones?|incidents?|issues?|outages?|problems?|things?|times?|cases?)\b"
            r"[^.;!?\n]{0,40}?\bsev ?[234]\b",
            r"\blast (?:week|month|year|night|quarter)[^.;!?\n]{0,40}?\bsev ?[234]\b",
            r"\binc-\d{4}-\d{4,}\b[^.;!?\n]{0,20}?\b(?:was|were|is|got|rated|had)\b[^.;!?\n]{0,20}?\bsev ?[234]\b",
            r"\b(?:similar|same|identical) (?:\w+ )?(?:was|were|is|are) (?:\w+ )?sev ?[234]\b",
            r"\b(?:usually|normally|always)\b[^.;!?\n]{0,30}?\bsev ?[234]\b",
        ),
        r"\b(?:on its own|own merits?|independently|assessed separately|unlike|duplicate of)\b",
    ),
    _Signs(
        WORKS_FOR_ME,
        (
            r"(?<!not )(?<!never )\b(?:works?|working|loads?|loading|fine|ok|okay|good|normal|all right|no problems?|no issues?)"
            r"(?: \w+)? (?:for me|on my (?:\w+ )?(?:machine|laptop|phone|computer|end|side|browser)|from my (?:\w+ )?(?:machine|laptop|desk|end|side|home)"
            r"|at my end|to me)\b",
            r"(?<!not )\b(?:works?|working|loads?|fine|ok|okay)(?: fine| ok| okay| well)? (?:from )?(?:over )?here\b",
            r"\bi can ?not (?:see|find|notice) (?:any|a|the) (?:problem|issue|error|outage)s?\b",
        ),
        r"\b(?:and for|others?|everyone|everybody|synthetic\w*|probes?|(?:users|customers|support) (?:\w+ )?confirm\w*|metrics?|monitoring|dashboards?|all regions"
        r"|error rate|regions?)\b",
    ),
    _Signs(
        NO_COMPLAINTS,
        (
            rf"\b(?:nobody|no[ -]?one|none of (?:the|our) {_PEOPLE}|not a single {_PEOPLE}|not one {_PEOPLE}|no {_PEOPLE}|{_PEOPLE} (?:have|has|did|are) not)"
            r"(?: has| have| had| is| are| even| really| else| yet| did| does| seems to| seem to| would| will| actually| ever| outside){0,3}"
            r" (?:complain\w*|notic\w+|cares?|caring|cared|call(?:ed|s|ing)?|shout\w*|scream\w*|report(?:ed|s|ing)?)\b",
            r"\b(?:no|zero|without(?: any)?|not (?:a single|any|one)|have not (?:had|seen|heard|got|received) (?:any|a single)?)"
            r"(?: \w+){0,2}? ?(?:complaints?|(?:user|customer|client|support) (?:reports?|tickets?|calls?))\b",
        ),
        r"\b(?:metrics?|monitoring|dashboards?|graphs?|error rates?|logs?|before|alerts? (?:are |is )?(?:clear\w*|quiet|green|resolved))\b",
    ),
    _Signs(
        FEW_USERS,
        (
            rf"\b(?:only|just|barely|merely|no more than|maybe) (?:like )?(?:an? )?(?:very )?(?:few|handful|couple|some|one|two|three|four|five|small number|tiny number"
            rf"|tiny fraction|small fraction|small group|\d+(?! ?%))(?: of)?(?: (?:our|the|internal|beta|free|small|test|affected|unlucky))* {_PEOPLE}\b",
            rf"\b(?:hardly|barely|scarcely) (?:any|anyone|anybody)\b(?: {_PEOPLE})?",
            rf"\b(?:not (?:that |so |very )?many|very few|so few|few|handful of|small number of) (?:of (?:our|the) )?{_PEOPLE}\b",
        ),
        r"\b(?:business impact|revenue|assessed|no risk)\b|\bsev ?3\b.*\bnone paying\b",
    ),
)

_TURNED_ROUND = re.compile(
    r"(?:(?<!why )\bnot|\bnever|\bcan ?not|\bno longer|\brather than|\binstead of|\brefus\w+ to|\bdeclin\w+ to|\bnobody)\s+(?:[\w']+\s+){0,3}\Z"
)
_IMPROVED = re.compile(
    r"\b(?:restor\w+|recover\w*|roll(?:ed|ing)?[ -]?backs?|revert\w*|mitigat\w+|contain(?:ed|ment)|fail(?:ed|ing|s)?[ -]?over|work[ -]?arounds?|stable|stabili[sz]\w+"
    r"|back (?:to normal|up|online|in service|to baseline|again)|(?:works?|working|up|running|available|healthy|serving|reachable) again|brought \w+(?: \w+){0,3} back"
    r"|is back|are back|fixed|resolved|repaired|patched|healthy|all green|(?:to|at|near) (?:normal|baseline)|normal again|normali[sz]ed|subsid\w+"
    r"|improv\w+|reduced|dropped|decreased|fell|fallen|down to|isolated|scaled (?:up|out)|restarted|disabled|switched off|turned off"
    r"|re-?routed|shifted|drained|took over|taken over|standby|replica|partial(?:ly)?|no longer|not a complete outage|no complete outage"
    r"|(?:under|below|less than|fewer than|only|about|at most) \d+(?:[.,]\d+)? ?(?:%|percent|per cent)"
    r"|no (?:more )?(?:data (?:is |was |being )*(?:loss|lost)|loss of data|breach|risk|customer impact|user impact|further|new errors|errors)"
    r"|(?:error rate|errors|latency)\b[^.;\n]{0,20}?\b(?:zero|0|normal|baseline|down)\b)"
    r"|<\s?\d+(?:[.,]\d+)? ?%"
)
_NOT_YET = re.compile(
    r"(?:\bnot|\bno|\bnever|\bwithout|\bhardly|\bbarely|\bcan ?not|\byet to|\bwill|\bshould|\bhopefully|\bmight|\bmay|\bcould|\bsoon|\buntil|\btrying to|\bfailed to)"
    r"\s+(?:[\w']+\s+){0,2}\Z"
)

_CONDITIONS = {
    (Severity.SEV1, Severity.SEV2): "SEV1→2 when the primary service is restored, no data is being lost and any breach is contained",
    (Severity.SEV2, Severity.SEV3): (
        "SEV2→3 when under 10 % of users remain affected, a workaround is in place and there is no risk of it growing"
    ),
}
"""When a severity may be lowered, step by step, as the severity page says it."""

_CONTRACTIONS = (
    (r"[‘’ʼ`´]", "'"),
    (r"\bcan't\b|\bcannot\b", "can not"),
    (r"\bwon't\b", "will not"),
    (r"n't\b", " not"),
    (r"\b(does|do|did|is|was|has|have)nt\b", r"\1 not"),
    (r"'ll\b", " will"),
    (r"'re\b", " are"),
    (r"'ve\b", " have"),
    (r"\b(it|that|this|there|what|cause|nobody|everything)'s\b", r"\1 is"),
    (r"\bits\b", "it is"),
    (r"\bdont\b", "do not"),
    (r"\b(?:root[ -]cause analys[ie]s|post[ -]?mortems?|rcas|pir|retros?|retrospectives?)\b", "rca"),
    (r"\bpercent\b|\bper cent\b", "%"),
    (r"\bsev[ -]?(?=\d)", "sev"),
    (r"[\"'“”«»*_]", ""),
    (r"[^\S\n]+", " "),
)
_REPLACEMENTS = tuple((re.compile(pattern), by) for pattern, by in _CONTRACTIONS)
_RECOGNISED = tuple((signs.row, tuple(re.compile(says) for says in signs.says), re.compile(signs.unless)) for signs in _SIGNS)


def rationalization(text: str) -> Rationalization | None:
    """The row of the table that `text` argues with; None for a reason that stands on something else."""
    plain = _plain(text)
    for row, says, unless in _RECOGNISED:
        if unless.search(plain):
            continue
        for pattern in says:
            if any(not _TURNED_ROUND.search(plain[max(0, found.start() - 60) : found.start()]) for found in pattern.finditer(plain)):
                return row
    return None


def downgrade_problem(lowered_from: Severity, to: Severity, reason: str) -> str | None:
    """What a reason for lowering a severity fails to say; None where it speaks of an improvement, or nothing is lowered.

    The reading is generous: one thing that got better is enough, and whether it is true is for the people
    who read the timeline.
    """
    if to.rank <= lowered_from.rank:
        return None
    plain = _plain(reason)
    if any(not _NOT_YET.search(plain[max(0, found.start() - 60) : found.start()]) for found in _IMPROVED.finditer(plain)):
        return None
    steps = [condition for (above, below), condition in _CONDITIONS.items() if lowered_from.rank <= above.rank and below.rank <= to.rank]
    return f"The reason does not say what has improved. A severity is lowered {'; '.join(steps)}."


def _plain(text: str) -> str:
    """Lower-case, contractions written out, one word for the RCA: the form that the signs are written for."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    for pattern, by in _REPLACEMENTS:
        plain = pattern.sub(by, plain)
    return plain.strip()
