"""`/`: the open incidents, the most urgent clock first."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from starter.desk import Desk
from starter.web.rendering import page


def router(desk: Desk) -> APIRouter:
    router = APIRouter()

    @router.get("/")
    async def show_home(request: Request) -> HTMLResponse:
        return page(request, "home.html")

    return router
