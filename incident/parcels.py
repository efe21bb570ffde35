"""Alerts on their way in messages: few of them, none that is too large, and no word that passes another on the same alert."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

T = TypeVar("T")
Wire = dict[str, Any]

BOUNDLESS = 2**63


def parts(batch: Sequence[T], sizes: Sequence[int], *, most: int = BOUNDLESS, most_bytes: int = BOUNDLESS) -> Iterator[list[T]]:
    """What is in the batch, in its order and in parts of at most `most` and `most_bytes`; what is larger than that goes alone."""
    part: list[T] = []
    size = 0
    for each, length in zip(batch, sizes, strict=True):
        if part and (len(part) >= most or size + length > most_bytes):
            yield part
            part, size = [], 0
        part.append(each)
        size += length
    if part:
        yield part


def packed(text: str) -> str:
    """The text made small, in plain characters."""
    return base64.b64encode(zlib.compress(text.encode())).decode()


def unpacked(text: str) -> str:
    """What `packed` made small."""
    return zlib.decompress(base64.b64decode(text)).decode()


def weight(alert: Wire) -> int:
    """Bytes that it takes in a message, at the most: a character that is not plain counts as its escape."""
    return len(json.dumps(alert)) + 1


def first(batch: Sequence[Wire], most: int, most_bytes: int) -> int:
    """How many of the batch its first part has."""
    return len(next(parts(batch, [weight(alert) for alert in batch], most=most, most_bytes=most_bytes), ()))


def waves(batch: Sequence[Wire], a_signal: int, at_once: int, bytes_a_signal: int = BOUNDLESS) -> Iterator[list[list[Wire]]]:
    """The alerts as they are handed on: waves of at most `at_once` signals, each with at most `a_signal` alerts and that many bytes.

    The signals of one wave may overtake each other; so one with a second word on an alert waits for the next wave.
    """
    sizes = [weight(alert) for alert in batch] if bytes_a_signal < BOUNDLESS else [0] * len(batch)
    wave: list[list[Wire]] = []
    said: set[str] = set()
    for part in parts(batch, sizes, most=a_signal, most_bytes=bytes_a_signal):
        names = {alert["fingerprint"] for alert in part}
        if len(wave) == at_once or names & said:
            yield wave
            wave, said = [], set()
        wave.append(part)
        said |= names
    if wave:
        yield wave
