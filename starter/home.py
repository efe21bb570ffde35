"""`/`: what this is, and where to go from here. `/docs`: the HTTP interface, to be read by people; no script, nothing from elsewhere."""

from __future__ import annotations

from html import escape
from typing import Any

_HEAD = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tocsin</title>
<style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem}</style>
"""

HOME = f"""{_HEAD}<h1>Tocsin</h1>
<p>Durable incident response on Temporal: every acknowledgement, update and deadline that the process asks for
is kept, told once, and on record.</p>
<ul>
<li><a href="/api/v1/incidents?open=true">Open incidents</a> (<code>tocsin list</code>)</li>
<li><a href="/api/v1/stats">How long things take</a> (<code>tocsin stats</code>)</li>
<li><a href="/api/v1/policy">The policy in force</a> (<code>tocsin policy show</code>)</li>
<li><a href="/api/v1/doctor">Is everything well?</a> (<code>tocsin doctor</code>)</li>
<li>Told outside: <a href="/api/v1/embedded/chat">chat</a>, <a href="/api/v1/embedded/status">status page</a>,
<a href="/api/v1/embedded/tickets">tickets</a>, <a href="/api/v1/embedded/pages">pages</a></li>
<li><a href="/docs">The HTTP interface</a>, <a href="/metrics">metrics</a></li>
</ul>
<p>New here? Type <code>tocsin drill</code>: a practice incident, some minutes long, that reaches nobody real.</p>
</html>
"""


def interface(described: dict[str, Any]) -> str:
    """The page that lists every address of an OpenAPI description, with what each takes."""
    schemas = described["components"]["schemas"]
    rows = [
        f"<h2><code>{method.upper()} {escape(path)}</code></h2>\n<p>{escape(_said(operation))}</p>\n{_fields(operation, schemas)}"
        for path, operations in described["paths"].items()
        for method, operation in operations.items()
    ]
    about = f"<h1>Tocsin {escape(described['info']['version'])}</h1>\n<p>{escape(described['info']['description'])}</p>"
    machine = '<p>For machines: <a href="/openapi.json">openapi.json</a>. A field with * must be given.</p>'
    return f"{_HEAD}{about}\n{machine}\n" + "\n".join(rows) + "\n</html>\n"


def _said(operation: dict[str, Any]) -> str:
    return str(operation.get("description") or operation.get("summary") or "")


def _fields(operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    if "requestBody" not in operation:
        return ""
    schema = schemas[operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]]
    required = schema.get("required", [])
    names = [f"<code>{escape(name)}</code>{'*' if name in required else ''}" for name in schema["properties"]]
    return f"<p>Fields: {', '.join(names)}</p>"
