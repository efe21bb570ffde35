"""Check every request and every answer against a vendor's published OpenAPI description, without a socket.

    client = Http(..., transport=SpecTransport(description("jira/…json"), inner=FakeJira().transport, base_url=BASE))

A request that the description does not allow is a `ContractError`, and so is an answer of our own fake that the vendor could not
give: a fake that lies proves nothing. Requests are read strictly: a field that a plain object does not list is a mistake.
`TOCSIN_SPECS` names the folder of the descriptions; without it these tests are skipped.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openapi_schema_validator import OAS30Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

ANYWHERE = frozenset({420, 429, 500, 502, 503, 504})
"""Statuses that whatever stands before a vendor's service may give, whether or not its description says so."""

_ROOT = "urn:description"


class ContractError(AssertionError):
    """The vendor would not take this request, or could not have given this answer."""


def description(name: str) -> Path:
    """The path of a vendor's description; skips the test where the descriptions are not at hand."""
    folder = os.environ.get("TOCSIN_SPECS")
    if not folder:
        pytest.skip(f"TOCSIN_SPECS names no folder of vendors' descriptions; {name} is not checked")
    return Path(folder) / name


class Operation:
    """One method of one path."""

    def __init__(self, pointer: str, spec: dict[str, Any], shared: list[dict[str, Any]]) -> None:
        self.pointer = pointer
        self.spec = spec
        self.parameters = [*shared, *spec.get("parameters", [])]

    @property
    def statuses(self) -> list[int]:
        return [int(status) for status in self.spec["responses"] if status.isdecimal()]


class Description:
    """A vendor's description, ready to be asked."""

    def __init__(self, path: Path) -> None:
        self.document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        _writable(self.document)
        self._tighten_requests()
        self._registry: Registry[Any] = Registry().with_resource(_ROOT, DRAFT4.create_resource(self.document))
        self._paths = [(_pattern(template), template) for template in self.document["paths"]]

    def resolved(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            found: Any = self.document
            for part in node["$ref"][2:].split("/"):
                found = found[part.replace("~1", "/").replace("~0", "~")]
            node = found
        return node

    def operation(self, method: str, path: str) -> Operation:
        found = [template for pattern, template in self._paths if pattern.fullmatch(path)]
        # The more literal template wins, as `/incidents/unresolved` does over `/incidents/{id}`.
        for template in sorted(found, key=lambda each: each.count("{")):
            item = self.document["paths"][template]
            if method.lower() in item:
                escaped = template.replace("~", "~0").replace("/", "~1")
                shared = [self.resolved(each) for each in item.get("parameters", [])]
                spec = dict(item[method.lower()])
                spec["parameters"] = [self.resolved(each) for each in spec.get("parameters", [])]
                return Operation(f"#/paths/{escaped}/{method.lower()}", spec, shared)
        raise ContractError(f"{method} {path} is not in the description")

    def check(self, value: Any, schema: dict[str, Any]) -> list[str]:
        validator = OAS30Validator(_anchored(schema), registry=self._registry)
        return [f"/{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in validator.iter_errors(value)]

    def _tighten_requests(self) -> None:
        """Let a plain object of a request have no field that it does not list: a typo is a mistake."""
        seen: set[int] = set()
        for item in self.document["paths"].values():
            for operation in item.values():
                if not isinstance(operation, dict):
                    continue
                body = self.resolved(operation.get("requestBody") or {})
                for content in body.get("content", {}).values():
                    self._tighten(content.get("schema"), seen)

    def _tighten(self, schema: Any, seen: set[int]) -> None:
        if not isinstance(schema, dict):
            return
        schema = self.resolved(schema)
        if id(schema) in seen or any(word in schema for word in ("allOf", "oneOf", "anyOf")):
            return
        seen.add(id(schema))
        if schema.get("properties"):
            schema.setdefault("additionalProperties", False)
        for each in (schema.get("properties") or {}).values():
            self._tighten(each, seen)
        self._tighten(schema.get("items"), seen)


@cache
def read(path: Path) -> Description:
    return Description(path)


class SpecTransport(httpx2.AsyncBaseTransport):
    """`calls` has what went through, oldest first."""

    def __init__(self, path: Path, inner: httpx2.AsyncBaseTransport, *, base_url: str) -> None:
        self.description = read(path)
        self.inner = inner
        self.prefix = httpx2.URL(base_url).path.rstrip("/")
        self.calls: list[tuple[httpx2.Request, httpx2.Response]] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await request.aread()
        what = f"{request.method} {request.url}"
        operation = self.description.operation(request.method, request.url.path.removeprefix(self.prefix))
        problems = [*self._parameters(operation, request), *self._request_body(operation, request)]
        if problems:
            raise ContractError(f"{what}: {'; '.join(problems)}")
        response = await self.inner.handle_async_request(request)
        await response.aread()
        self.calls.append((request, response))
        problems = list(self._answer(operation, response))
        if problems:
            raise ContractError(f"the fake's answer {response.status_code} to {what}: {'; '.join(problems)}")
        return response

    def _parameters(self, operation: Operation, request: httpx2.Request) -> Iterator[str]:
        known = {(each["in"], each["name"].casefold()): each for each in operation.parameters}
        for (where, _), each in known.items():
            given = request.url.params.get(each["name"]) if where == "query" else request.headers.get(each["name"])
            if where in ("query", "header") and each.get("required") and given is None:
                yield f"the {where} parameter {each['name']} is missing"
        for name, value in request.url.params.multi_items():
            each = known.get(("query", name.casefold()))
            if each is None:
                yield f"there is no query parameter {name}"
            elif "schema" in each:
                schema = self.description.resolved(each["schema"])
                yield from (f"{name} {problem}" for problem in self.description.check(_typed(value, schema), schema))

    def _request_body(self, operation: Operation, request: httpx2.Request) -> Iterator[str]:
        body = self.description.resolved(operation.spec.get("requestBody") or {})
        if not request.content:
            if body.get("required"):
                yield "the body is missing"
            return
        kind = request.headers.get("content-type", "").split(";")[0]
        if kind not in body.get("content", {}):
            yield f"a body of type {kind or 'nothing'} is not described"
            return
        yield from self.description.check(json.loads(request.content), body["content"][kind]["schema"])

    def _answer(self, operation: Operation, response: httpx2.Response) -> Iterator[str]:
        """What is wrong with an answer. A description that names no error at all for a call can't be held against one."""
        described = operation.spec["responses"].get(str(response.status_code)) or operation.spec["responses"].get("default")
        if described is None:
            silent = response.status_code >= 400 and max(operation.statuses) < 400
            if response.status_code not in ANYWHERE and not silent:
                yield f"is not described; described are {', '.join(operation.spec['responses'])}"
            return
        kind = response.headers.get("content-type", "").split(";")[0]
        content = self.description.resolved(described).get("content", {})
        if kind == "application/json" and kind in content and "schema" in content[kind]:
            yield from self.description.check(json.loads(response.content or b"null"), content[kind]["schema"])


def _writable(node: Any) -> None:
    """Take `readOnly` away: vendors put it on ids that requests must carry."""
    if isinstance(node, dict):
        if node.get("readOnly") is True:
            del node["readOnly"]
        for each in node.values():
            _writable(each)
    elif isinstance(node, list):
        for each in node:
            _writable(each)


def _anchored(node: Any) -> Any:
    """The schema with its references made absolute."""
    if isinstance(node, dict):
        return {
            key: f"{_ROOT}{value}" if key == "$ref" and isinstance(value, str) and value.startswith("#") else _anchored(value)
            for key, value in node.items()
        }
    return [_anchored(each) for each in node] if isinstance(node, list) else node


def _pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"\{[^}]+\}", template)
    return re.compile("[^/]+".join(re.escape(part) for part in parts))


def _typed(value: str, schema: dict[str, Any]) -> Any:
    kinds = {schema.get("type")} | {each.get("type") for each in schema.get("oneOf", schema.get("anyOf", []))}
    if kinds & {"integer", "number"} and re.fullmatch(r"-?\d+(\.\d+)?", value):
        return json.loads(value)
    if "boolean" in kinds and value in ("true", "false"):
        return value == "true"
    if kinds == {"array"}:
        return value.split(",")
    return value
