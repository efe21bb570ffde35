"""The webhook of Grafana's own alerting: Alertmanager's shape with a version, an organisation and links of its own.

Grafana's group key is often `{}:{}`, so the organisation and the server are part of ours.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError

from integrations.monitoring import alertmanager
from integrations.monitoring.posted import Group, Posted, empty_where_null, group_key, sorted_out, unreadable

LINKS = ("dashboardURL", "panelURL", "silenceURL", "imageURL")


class GrafanaPayload(alertmanager.Payload):
    """What Grafana posts; newer fields are let pass. `alerts` are read one by one."""

    version: Annotated[Literal["1"], BeforeValidator(str)]  # type: ignore[assignment]  # another vendor, another version
    org_id: int = Field(default=1, alias="orgId")


def read(body: Any) -> Posted:
    """Read a post.

    Raises:
        Unreadable: it is not Grafana's version 1, or not one alert in it can be used.
    """
    try:
        payload = GrafanaPayload.model_validate(body)
    except ValidationError as error:
        raise unreadable(error) from error
    good, bad = sorted_out([_told(item) for item in payload.alerts])
    key = f"grafana {payload.external_url.rstrip('/')} {payload.org_id}: {payload.group_key}"
    return Posted((Group(group_key(key), good, bad, alertmanager.about(payload)),))


def _told(item: Any) -> Any:
    """An alert with what only Grafana says of it among the annotations: links, and the values that made it fire."""
    if not isinstance(item, dict):
        return item
    annotations = empty_where_null(item.get("annotations"))
    if not isinstance(annotations, dict):
        return item
    said = {name: item[name] for name in LINKS if isinstance(item.get(name), str) and item[name]}
    values = item.get("values")
    if isinstance(values, dict) and values:
        said["values"] = ", ".join(f"{name}={value}" for name, value in values.items())
    return {**item, "annotations": {**said, **annotations}}
