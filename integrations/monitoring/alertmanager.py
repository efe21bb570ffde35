"""Alertmanager's webhook, version 4: one group of alerts a post, firing and resolved ones together, at least once."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from integrations.monitoring.posted import Group, Posted, empty_where_null, group_key, sorted_out, unreadable

Words = Annotated[dict[str, str], BeforeValidator(empty_where_null)]


class Payload(BaseModel):
    """Alertmanager's version 4 payload; newer fields are let pass. `alerts` are read one by one."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    version: Annotated[Literal["4"], BeforeValidator(str)]
    group_key: str = Field(alias="groupKey", min_length=1)
    status: Literal["firing", "resolved"]
    receiver: str = ""
    alerts: list[Any] = Field(min_length=1)
    group_labels: Words = Field(default_factory=dict, alias="groupLabels")
    common_labels: Words = Field(default_factory=dict, alias="commonLabels")
    common_annotations: Words = Field(default_factory=dict, alias="commonAnnotations")
    external_url: str = Field(default="", alias="externalURL")
    truncated_alerts: int = Field(default=0, alias="truncatedAlerts")


def read(body: Any) -> Posted:
    """Read a post.

    Raises:
        Unreadable: it is not Alertmanager's version 4, or not one alert in it can be used.
    """
    try:
        payload = Payload.model_validate(body)
    except ValidationError as error:
        raise unreadable(error) from error
    good, bad = sorted_out(payload.alerts)
    return Posted((Group(group_key(payload.group_key), good, bad, about(payload)),))


def about(payload: Payload) -> dict[str, Any]:
    """What is kept of a group beside its alerts."""
    return {
        "receiver": payload.receiver[:300],
        "status": payload.status,
        "group_labels": payload.group_labels,
        "common_labels": payload.common_labels,
        "common_annotations": payload.common_annotations,
        "external_url": payload.external_url[:2_000],
        "truncated_alerts": payload.truncated_alerts,
    }
