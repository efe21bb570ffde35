"""What a group of a vendor's settings is, and how one is read: from the environment, its secrets from files as well.

Every secret may also come from a file: `TOCSIN_JIRA_TOKEN_FILE=/run/secrets/jira` instead of `TOCSIN_JIRA_TOKEN`. A secret is a
`SecretStr`: printed, logged or dumped, it shows as asterisks.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import AfterValidator, BeforeValidator, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode

from runtime.settings import PREFIX, SettingsError

FILE = "_FILE"
"""What a secret's variable ends with where it names a file that holds the secret."""

_LOOPBACK = re.compile(r"http://(127\.[0-9.]+|localhost|\[::1\])(:\d+)?(/|$)")


def _address(value: str) -> str:
    if not re.match(r"https?://[^/\s]+", value) or "@" in value.split("/")[2]:
        raise ValueError("must look like https://host/path, without user and password")
    return value.rstrip("/")


def private_address(value: str) -> str:
    value = _address(value)
    if not value.startswith("https://") and not _LOOPBACK.match(value):
        raise ValueError("must begin with https://, or the credentials could be read on the way")
    return value


Address = Annotated[str, AfterValidator(_address)]
"""Of what somebody hosts: http inside one's own network is their choice."""

CloudAddress = Annotated[str, AfterValidator(private_address)]


def _names(value: Any) -> Any:
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)]
"""Several names in one variable, with commas between them."""


def each_like(value: tuple[str, ...], pattern: str, rule: str) -> tuple[str, ...]:
    if not all(re.fullmatch(pattern, name) for name in value):
        raise ValueError(rule)
    return value


def json_object(value: Any, rule: str) -> dict[str, Any]:
    """A setting that is one JSON object; else ValueError with the `rule` that it breaks."""
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError(rule) from None
    if not isinstance(found, dict):
        raise ValueError(rule)
    return found


class Vendor(BaseSettings):
    """A group: `chosen` are the values of `TOCSIN_<PORT>` that make it needed, `permissions` what the credentials must allow."""

    chosen: ClassVar[tuple[str, str]]
    permissions: ClassVar[tuple[tuple[str, str], ...]] = ()

    @classmethod
    def variable(cls, field: str) -> str:
        return f"{cls.model_config['env_prefix']}{field.upper()}"

    @classmethod
    def variables(cls) -> Iterator[str]:
        for name in cls.model_fields:
            yield cls.variable(name)
            if cls.is_secret(name):
                yield cls.variable(name) + FILE

    @classmethod
    def is_secret(cls, field: str) -> bool:
        return cls.model_fields[field].annotation in (SecretStr, SecretStr | None)


def pairs(secret: SecretStr, shape: str, variable: str) -> dict[str, list[SecretStr]]:
    """What a secret of several parts says of each name; parts stand on lines of their own, or have semicolons between them.

    Raises:
        SettingsError: says the shape, never the value.
    """
    found: dict[str, list[SecretStr]] = {}
    for part in re.split(r"[\n;]", secret.get_secret_value()):
        name, _, value = part.partition("=")
        if not part.strip():
            continue
        if not name.strip() or not value.strip():
            raise SettingsError(f"{variable} must look like {shape}")
        found.setdefault(name.strip(), []).append(SecretStr(value.strip()))
    return found


AVendor = TypeVar("AVendor", bound=Vendor)


def vendor_settings(group: type[AVendor]) -> AVendor:
    """Read a vendor's group.

    Raises:
        SettingsError: names each variable that is missing or can't be used, never a secret.
    """
    try:
        values: dict[str, Any] = dict(_from_files(group))
        return group(**values)
    except ValidationError as error:
        port, value = group.chosen
        lines = []
        for item in error.errors(include_url=False, include_input=False, include_context=False):
            name = str(item["loc"][0])
            variable = group.variable(name)
            if item["type"] == "missing":
                or_file = f" (or {variable}{FILE})" if group.is_secret(name) else ""
                lines.append(f"{variable}{or_file} is needed with {PREFIX}{port.upper()}={value}: {group.model_fields[name].description}")
            else:
                lines.append(f"{variable}: {item['msg'].removeprefix('Value error, ')}")
        raise SettingsError("; ".join(lines)) from None


def _from_files(group: type[Vendor]) -> Iterator[tuple[str, Any]]:
    for name in group.model_fields:
        variable = group.variable(name)
        path = os.environ.get(variable + FILE)
        if not group.is_secret(name) or path is None:
            continue
        if variable in os.environ:
            raise SettingsError(f"{variable} and {variable}{FILE} are both set; leave one out")
        try:
            yield name, Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{variable}{FILE}: {path} can't be read ({type(error).__name__})") from None
