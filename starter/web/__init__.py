"""The pages that people read in a browser: one more skin over the desk.

Whatever a page can do, the command line and the API can. Pages are rendered here, on the server; a form is posted,
answered by a redirect, and a refusal comes back on the same page with what was typed. Scripts make that quicker,
never possible: with JavaScript off everything can be read and every form be posted.

    rendering   templates, filters, static files, the frame that all pages share
    status_page what the public reads; it shares nothing with the rest
    public_preview what the public will read, by the templates of that page
    writing     who else is writing to the public just now
    ack         links from mails that acknowledge
    headers     what every page forbids the browser to do
    postmortem_page, actions_page, analytics_page, audit_page: the record
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter

from starter.analytics import Records
from starter.channels import ChannelDesk
from starter.desk import Desk
from starter.health import Health
from starter.live import Rooms
from starter.postmortem import Postmortems
from starter.pulse import Pulse
from starter.web import (
    ack,
    actions_page,
    analytics_page,
    audit_page,
    channels_page,
    coach,
    declare,
    frame,
    home,
    live,
    postmortem_page,
    public_preview,
    room,
    sign_in,
    status_page,
)
from starter.web.writing import Writers

if TYPE_CHECKING:
    from starter.api import Door


def pages(
    desk: Desk, rooms: Rooms, door: Door, health: Health, records: Records, postmortems: Postmortems, channels: ChannelDesk
) -> APIRouter:
    """All pages of one door. None of them stands in /openapi.json: they are for people."""
    router = APIRouter(include_in_schema=False)
    router.include_router(frame.router())
    pulse = Pulse(health)
    router.include_router(home.router(desk, pulse))
    router.include_router(ack.router(desk, door.links))
    router.include_router(declare.router(desk))
    writers = Writers()
    previewing = public_preview.Previewing(desk, door.public, writers)
    router.include_router(room.router(desk, previewing))
    router.include_router(public_preview.router(previewing))
    router.include_router(coach.router(desk, door.kill_worker))
    router.include_router(live.router(desk, rooms, pulse, writers))
    router.include_router(status_page.router(door.public))
    router.include_router(sign_in.router(door.signing_in, door.identity))
    router.include_router(postmortem_page.router(desk, records, postmortems))
    router.include_router(actions_page.router(desk, records))
    router.include_router(analytics_page.router(records))
    router.include_router(audit_page.router(desk, door))
    router.include_router(channels_page.router(channels))
    return router
