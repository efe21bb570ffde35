"""The connection to Temporal: one factory, so that every client, worker and replayer speaks alike."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfig
from temporalio.runtime import LogForwardingConfig, LoggingConfig, PrometheusConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.service import KeepAliveConfig, RetryConfig, RPCError
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

DATA_CONVERTER = pydantic_data_converter

DEFAULT_ADDRESS = "127.0.0.1:7233"

PASSED_THROUGH = ("incident", "activities", "integrations", "workflows", "structlog", "pydantic", "pydantic_core", "annotated_types")
"""Loaded once and shared by all workflows: 57 times cheaper starts. A test, not the sandbox, keeps the core pure."""

RETRY = RetryConfig(
    initial_interval_millis=100,
    randomization_factor=0.2,
    multiplier=1.5,
    max_interval_millis=500,
    max_elapsed_time_millis=10_000,
    max_retries=20,
)
"""A server that restarts is back in under a second; the default back-off would wait five."""


ATTEMPT_WITHIN = 5.0
"""Seconds for one attempt to connect: an address that swallows packets gives no answer at all."""


class TemporalUnreachable(Exception):
    """Temporal does not answer, or can't be asked; the text says where it was looked for and what to do."""


def sandboxed_runner() -> SandboxedWorkflowRunner:
    """The sandbox in which all workflows run, here and in every replay."""
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH))


def connect_config(default_address: str = DEFAULT_ADDRESS) -> dict[str, Any]:
    """What the standard `TEMPORAL_…` variables and profiles say, with a default address.

    Raises:
        TemporalUnreachable: they name a profile, or a file, that is not there.
    """
    try:
        config: dict[str, Any] = dict(ClientConfig.load_client_connect_config())
    except (RuntimeError, OSError) as error:  # the SDK's own ConfigError is a RuntimeError that can't be imported
        raise TemporalUnreachable(
            f"the connection to Temporal is not described well: {error}. Check the TEMPORAL_ variables and the configuration file "
            "(TEMPORAL_CONFIG_FILE)."
        ) from error
    config.setdefault("target_host", default_address)
    return config


_runtime: Runtime | None = None


def quiet_runtime(metrics: str | None = None) -> Runtime:
    """Temporal's own runtime, its logs going where ours go. Left alone it writes to standard output, amid data.

    `metrics` is the address on which the SDK's own metrics are offered to Prometheus; only the first call's counts.
    """
    global _runtime
    if _runtime is None:
        forward = LogForwardingConfig(logger=logging.getLogger("temporalio.core"))
        logs = LoggingConfig(filter=TelemetryFilter(core_level="WARN", other_level="ERROR"), forwarding=forward)
        offered = None if metrics is None else PrometheusConfig(bind_address=metrics, counters_total_suffix=True, durations_as_seconds=True)
        _runtime = Runtime(telemetry=TelemetryConfig(logging=logs, metrics=offered))
        Runtime.set_default(_runtime, error_if_already_set=False)
    return _runtime


async def connect(*, within: float = 30.0, default_address: str = DEFAULT_ADDRESS, lazy: bool = False) -> Client:
    """Connect, waiting up to `within` seconds for a server that is still starting. `lazy`: connect at the first call.

    Raises:
        TemporalUnreachable: with the address and what to do.
    """
    config = connect_config(default_address)
    deadline = asyncio.get_running_loop().time() + within
    while True:
        try:
            async with asyncio.timeout(min(ATTEMPT_WITHIN, max(within, 0.5))):
                return await Client.connect(
                    **config,
                    data_converter=DATA_CONVERTER,
                    retry_config=RETRY,
                    keep_alive_config=KeepAliveConfig(interval_millis=5_000, timeout_millis=3_000),
                    runtime=quiet_runtime(),
                    lazy=lazy,
                )
        except (RuntimeError, RPCError, TimeoutError) as error:
            if asyncio.get_running_loop().time() >= deadline:
                where = config["target_host"]
                raise TemporalUnreachable(
                    f"no Temporal server answers at {where} (waited {within:g} s). "
                    "Start everything with: tocsin up. Or set TEMPORAL_ADDRESS to where yours listens."
                ) from error
            await asyncio.sleep(0.3)
