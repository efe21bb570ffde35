"""A local server that speaks a model's API (Messages), with the answers that it is told to give."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Block = dict[str, Any]
Turn = list[Block] | int | str
"""What one request is answered with: blocks, a status, or a body that is none of the API's."""

KEY = "s3cret-model-key"


def uses(name: str, **input: Any) -> Block:
    return {"type": "tool_use", "id": f"toolu_{name}_{len(json.dumps(input))}", "name": name, "input": input}


def says(text: str) -> Block:
    return {"type": "text", "text": text}


class ModelServer:
    """`script` gives the answer to the nth request of a conversation; `asked` keeps every request's body."""

    def __init__(self) -> None:
        self.script: Callable[[int, dict[str, Any]], Turn] = lambda nth, body: [says("no")]
        self.asked: list[dict[str, Any]] = []
        self.url = ""

    def turns(self, *turns: Turn) -> None:
        """Answer the first request with the first turn, and so on; the last one for ever."""
        self.script = lambda nth, body: turns[min(nth, len(turns)) - 1]

    def texts(self) -> str:
        """Everything that the model was told, as it was written."""
        return json.dumps(self.asked)

    def answer(self, method: str, key: str, body: dict[str, Any]) -> tuple[int, bytes]:
        if key != KEY:
            return 401, _json({"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}})
        if method == "GET":
            return 200, _json({"id": "a-model", "type": "model", "display_name": "A model", "created_at": "2026-01-01T00:00:00Z"})
        self.asked.append(body)
        turn = self.script(len(self.asked), body)
        if isinstance(turn, int):
            return turn, _json({"type": "error", "error": {"type": "api_error", "message": "told to fail"}})
        if isinstance(turn, str):
            return 200, turn.encode()
        stop = "tool_use" if any(block["type"] == "tool_use" for block in turn) else "end_turn"
        return 200, _json(
            {
                "id": f"msg_{len(self.asked)}",
                "type": "message",
                "role": "assistant",
                "model": body["model"],
                "content": turn,
                "stop_reason": stop,
                "stop_sequence": None,
                "usage": {"input_tokens": 10, "output_tokens": 5},
            }
        )

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[ModelServer]:
        model = cls()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer({})

            def do_POST(self) -> None:
                self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def _answer(self, body: dict[str, Any]) -> None:
                status, answer = model.answer(self.command, (self.headers.get("authorization") or "").removeprefix("Bearer "), body)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                return

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        model.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield model
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()
