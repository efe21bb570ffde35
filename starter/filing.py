"""What is looked at before a post-mortem is filed: that nobody's draft goes under with it.

Drafts are the door's, and the incident does not know of them. Whoever files a document that leaves out what somebody else has
saved since the last filing is told so, with that text. Filed all the same, it has to say which versions were read (`seen`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from incident import commands
from incident.postmortem import NOT_WRITTEN_HERE
from starter.desk import Desk
from starter.drafts import Version
from starter.identity.actor import vouched
from starter.postmortem import TITLES, Postmortems, told
from starter.problems import Conflict, Invalid

VERB = commands.FilePostmortem.verb

Seen = dict[Annotated[str, Field(max_length=40)], Annotated[int, Field(ge=0, le=10**9)]]

_SEEN: TypeAdapter[Seen] = TypeAdapter(Seen)


class FilePostmortem(commands.FilePostmortem):
    """File the post-mortem; filing it again amends it."""

    seen: Seen = Field(default_factory=dict, description="versions of sections' drafts that were read and are left out on purpose")


class Filing:
    """Stands before the verb, for every door of this process."""

    def __init__(self, desk: Desk, writing: Postmortems) -> None:
        self._desk = desk
        self._writing = writing

    async def looked_at(self, incident: str, fields: Mapping[str, Any], key: str | None) -> dict[str, Any]:
        """The fields without `seen`.

        Raises:
            Conflict: somebody else has written what the document does not hold. Nothing was filed; both texts are there.
            Invalid: `seen` has the wrong shape.
        """
        asked = {name: value for name, value in fields.items() if name != "seen"}
        seen = _read(fields.get("seen"))
        document = asked.get("document")
        if not isinstance(document, str):
            return asked
        lost = await self._lost(incident, document, str(vouched(asked).get("by") or ""), seen)
        if lost and not (key is not None and await self._desk.answered(incident, VERB, asked, key)):
            raise unread(incident, lost)
        return asked

    async def _lost(self, incident: str, document: str, by: str, seen: Seen) -> list[Version]:
        """Others' drafts since the last filing whose words the document does not have."""
        kept = await self._writing.kept(incident)
        if not kept:
            return []
        filed = await self._writing.filed(incident)
        number = filed.seq if filed is not None else 0
        whole = _plain(document)
        return [
            version
            for name, version in kept.items()
            if version.filing >= number
            and TITLES.get(name) not in NOT_WRITTEN_HERE
            and version.by != by
            and seen.get(name) != version.version
            and _plain(version.text) not in whole
        ]


def unread(incident: str, versions: list[Version]) -> Conflict:
    """Tell whose texts a document leaves out, and the ways on."""
    first = versions[0]
    names = ", ".join(f"{one.section} (version {one.version}, by {one.by})" for one in versions)
    seen = ", ".join(f'"{one.section}": {one.version}' for one in versions)
    typed = " ".join(f"--seen {one.section}={one.version}" for one in versions)
    return Conflict(
        f"The document does not hold what others have written: {names}. Nothing was filed, and nothing is lost. Read it "
        f"(tocsin pm draft {incident} {first.section}) and put it in; or file without it and say that you have read it: "
        f"seen {{{seen}}}, on the command line {typed}.",
        incident=incident,
        section=first.section,
        theirs=told(first),
        unread=[{"section": one.section, **told(one)} for one in versions],
    )


def _read(seen: object) -> Seen:
    try:
        return _SEEN.validate_python({} if seen is None else seen)
    except ValidationError as error:
        raise Invalid([{"field": "seen", "message": commands.problems(error)[0]["message"]}]) from error


def _plain(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").strip().splitlines())
