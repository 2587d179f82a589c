"""A stand-in for the reverse proxy that a server may be behind: it passes requests on, and can be told to do worse."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

Answer = tuple[int, str, str]
"""A status, the kind of content, and the text; a status of 0 hangs up."""


class ProxyStandIn:
    """On a free port of 127.0.0.1, as a context manager, in front of ``behind``. ``token``: who does not bear it is
    refused. ``before`` and ``after`` may give an answer of their own to a method, before or after it was passed on; its
    clock is ``ahead_s`` of the right time."""

    def __init__(self, behind: str, token: str = "") -> None:
        self.behind, self.token = behind, token
        self.before: Callable[[str], Answer | None] = lambda _method: None
        self.after: Callable[[str], Answer | None] = lambda _method: None
        self.asked: list[str] = []
        self.ahead_s = 0.0

    def __enter__(self) -> ProxyStandIn:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                proxy.asked.append(f"{self.command} {self.path}")
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, kind, text = proxy.answer(self.command, self.path, self.headers, body)
                if not status:
                    return
                self.send_response(status)
                self.send_header("Location" if status in (301, 302) else "Content-Type", kind)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            do_POST = do_PATCH = do_DELETE = do_GET

            def date_time_string(self, timestamp: float | None = None) -> str:
                return super().date_time_string((timestamp or time.time()) + proxy.ahead_s)

            def log_message(self, *_: Any) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> Answer:
        """To one request."""
        if self.token and headers.get("Authorization") != f"Bearer {self.token}":
            return 401, "text/plain", "Unauthorized"
        if own := self.before(method):
            return own
        kept = {name: headers[name] for name in ("Content-Type", "Authorization") if name in headers}
        passed = requests.request(method, self.behind + path, data=body, headers=kept, timeout=30)
        return self.after(method) or (passed.status_code, passed.headers.get("Content-Type", ""), passed.text)
