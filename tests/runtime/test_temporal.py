# ruff: noqa: SIM300 - the house writes what is expected first
"""The connection to Temporal: described by the standard variables, and clear about what is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import SOCK_STREAM, socket

import pytest

from runtime.temporal import TemporalUnreachable, connect, connect_config


@contextmanager
def silent_server() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket(type=SOCK_STREAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


@pytest.fixture(autouse=True)
def _no_profile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("ADDRESS", "NAMESPACE", "PROFILE", "API_KEY", "TLS"):
        monkeypatch.delenv(f"TEMPORAL_{name}", raising=False)
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(tmp_path / "none.toml"))


def test_the_connection_is_described_by_the_standard_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has set up Temporal's own tools need not tell Tocsin anything."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", "temporal.example:7233")
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "incidents")
    monkeypatch.setenv("TEMPORAL_API_KEY", "key")

    config = connect_config()

    assert ("temporal.example:7233", "incidents", "key") == (config["target_host"], config["namespace"], config["api_key"])
    assert config["tls"]


def test_without_variables_the_embedded_server_is_meant() -> None:
    """Nothing set means the server that `tocsin up` starts."""
    assert "127.0.0.1:7233" == connect_config()["target_host"]


async def test_an_unreachable_server_is_told_with_its_address_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing listens, one hears within the time given where it was looked for, and how to go on."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")

    with pytest.raises(TemporalUnreachable, match=r"127\.0\.0\.1:1 \(waited 0\.2 s\).*tocsin up.*TEMPORAL_ADDRESS"):
        await connect(within=0.2)


async def test_a_server_that_says_nothing_does_not_hold_a_process_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that swallows everything is given up like one that refuses."""
    with silent_server() as port:
        monkeypatch.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{port}")

        async with asyncio.timeout(5):
            with pytest.raises(TemporalUnreachable):
                await connect(within=0.2)


@pytest.mark.parametrize(("variable", "value"), [("TEMPORAL_PROFILE", "nope"), ("TEMPORAL_TLS_SERVER_CA_CERT_PATH", "/nope")])
async def test_a_badly_described_connection_is_told(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile or a certificate that is not there is a sentence, not a traceback."""
    monkeypatch.setenv(variable, value)

    with pytest.raises(TemporalUnreachable, match="not described well"):
        await connect(within=0.2)
