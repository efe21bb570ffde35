"""What a workflow hands to its next run, or to whoever goes on for it: packed where it is large, so that the server takes it."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, SerializationInfo, SerializerFunctionWrapHandler, model_serializer, model_validator

from incident import parcels
from workflows import options

PACKED = "packed"


class Packing(BaseModel):
    """A model that travels as `{"packed": …}` where its JSON is larger than `options.PACKED_FROM`; it is read either way.

    The server warns of payloads above 256 kB and refuses those above 2 MB, and a workflow whose state it refuses can never go on. A
    night of thousands of alerts says much the same thousands of times: packed it takes a tenth.
    """

    @model_validator(mode="before")
    @classmethod
    def _unpack(cls, raw: Any) -> Any:
        if isinstance(raw, dict) and isinstance(raw.get(PACKED), str):
            return json.loads(parcels.unpacked(raw[PACKED]))
        return raw

    @model_serializer(mode="wrap")
    def _pack(self, plainly: SerializerFunctionWrapHandler, info: SerializationInfo) -> Any:
        plain = plainly(self)
        if info.mode != "json":
            return plain
        text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
        return plain if len(text.encode()) <= options.PACKED_FROM else {PACKED: parcels.packed(text)}
