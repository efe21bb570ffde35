"""`/declare`: open an incident. The form is checked by the core; what was typed comes back with what is wrong with it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from starter.desk import Desk, fresh_key
from starter.mistakes import by_field
from starter.problems import Invalid, NotPermitted, Unavailable
from starter.web.command_forms import labels_of, opening_form
from starter.web.forms import form_of
from starter.web.rendering import page, who

AT_ONCE = ("title", "severity", "customer_facing", "services", "summary")
"""What is asked first; everything else can wait, and be said in the room."""


def router(desk: Desk) -> APIRouter:
    router = APIRouter()

    def show(
        request: Request, key: str, typed: dict[str, str], *, status: int = 200, problem: str = "", errors: dict[str, str] | None = None
    ) -> Response:
        fields = {field.name: field for field in opening_form().fields}
        return page(
            request,
            "declare.html",
            status=status,
            key=key,
            values=typed,
            errors=errors or {},
            labels=labels_of(opening_form()),
            problem=problem,
            first=[fields[name] for name in AT_ONCE],
            rest=[field for name, field in fields.items() if name not in AT_ONCE and not name.startswith("factors.")],
            factors=[field for name, field in fields.items() if name.startswith("factors.")],
        )

    @router.get("/declare")
    async def show_declare(request: Request) -> Response:
        """The form, with what the address says already in its fields."""
        return show(request, fresh_key(), dict(request.query_params))

    @router.post("/declare")
    async def declare(request: Request) -> Response:
        """Open the incident, once a key: pressed twice, it is the same incident."""
        form = await form_of(request)
        key = form.text("key").strip() or fresh_key()
        typed = {name: form.text(name) for name in form if name != "key"}
        try:
            state = await desk.open({**opening_form().read(form), "by": who(request)}, key)
        except Invalid as problem:
            errors = by_field(problem.errors, labels_of(opening_form()))
            return show(
                request, key, typed, status=422, problem="Not declared: something is missing or has the wrong shape.", errors=errors
            )
        except NotPermitted as problem:
            return show(request, key, typed, status=403, problem=f"Not declared: {problem.detail}")
        except Unavailable as problem:
            detail = f"{problem.title}. {problem.detail} What you typed is kept here; press again."
            return show(request, key, typed, status=503, problem=detail)
        return RedirectResponse(f"/incidents/{state['incident']}", status_code=303)

    return router
