"""A web server for pages on this computer: it listens on 127.0.0.1 and nobody else reaches it."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from gansweep.store.errors import UserError

HOST = "127.0.0.1"
PORT = 8765  # unless it is taken
MAX_BODY = 10_000  # bytes
SERVED = {".png", ".webp", ".js", ".txt"}  # the files of a report that pages load
HEADER = "X-Gansweep"  # a page of another site cannot send it


class Answer(NamedTuple):
    """An answer to a request. An empty body is sent with the status 204."""

    body: bytes
    kind: str = "application/json"


Query = dict[str, str]
Route = Callable[[Query], "Answer | None"]


def as_answer(value: Any) -> Answer:
    """Return the answer with a value as JSON."""
    from gansweep.report.gallery.page import as_json

    return Answer(as_json(value).encode())


class LocalServer(ThreadingHTTPServer):
    """Serves some routes, and the pictures and scripts in a folder.

    get, post: for each path the function that answers, by the query or the JSON object of the
    request; None is "not found". port: None takes PORT, or any free port if that is taken. Raises
    UserError if the port cannot be opened.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(
        self,
        folder: Path | None,
        get: dict[str, Route],
        post: dict[str, Route] | None = None,
        port: int | None = None,
    ) -> None:
        self.folder, self.get, self.post = folder, get, post or {}
        try:
            super().__init__((HOST, PORT if port is None else port), Handler)
        except (OSError, OverflowError) as error:
            if port is not None:
                reason = getattr(error, "strerror", None) or str(error)
                raise UserError(f"--port {port}: {reason}; choose another port") from None
            super().__init__((HOST, 0), Handler)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of a LocalServer."""

    server: LocalServer

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: the terminal is for the user."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if not self._from_here():
            return
        if route := self.server.get.get(parts.path):
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            self._answer(route, query)
        else:
            self._send(self._file(unquote(parts.path)))

    def do_POST(self) -> None:
        route = self.server.post.get(urlsplit(self.path).path)
        if not self._from_here():
            return
        if self.headers.get(HEADER) is None:
            self.send_error(403)
            return
        length = self.headers.get("Content-Length", "")
        if not length.isdigit() or int(length) > MAX_BODY:
            self.send_error(413)
            return
        try:
            body = json.loads(self.rfile.read(int(length)) or b"{}")
        except ValueError:
            body = None
        if not isinstance(body, dict):
            self.send_error(400)
            return
        if route is None:
            self._send(None)
        else:
            self._answer(route, {str(k): str(v) for k, v in body.items()})

    def _answer(self, route: Route, query: Query) -> None:
        """Send the answer of a route, or why the files of the sweep cannot be read or written."""
        try:
            answer = route(query)
        except (UserError, OSError) as error:
            answer = Answer(str(error).encode(), "text/plain; charset=utf-8")
            self._send(answer, 503)
        else:
            self._send(answer)

    def _from_here(self) -> bool:
        """Refuse a request under another host name, which a site of the web may have sent."""
        port = self.server.server_port
        if self.headers.get("Host") in (f"{HOST}:{port}", f"localhost:{port}"):
            return True
        self.send_error(403)
        return False

    def _file(self, name: str) -> Answer | None:
        """Return a file of the folder; None for a path outside it, or for another kind of file."""
        folder = self.server.folder
        if folder is None or "\0" in name:
            return None
        path = (folder / name.lstrip("/")).resolve()
        if path.suffix not in SERVED or not path.is_relative_to(folder.resolve()):
            return None
        try:
            data = path.read_bytes()
        except OSError:
            return None
        return Answer(data, mimetypes.guess_type(path.name)[0] or "application/octet-stream")

    def _send(self, answer: Answer | None, status: int = 200) -> None:
        if answer is None:
            self.send_error(404)
            return
        self.send_response(status if answer.body else 204)
        if answer.body:
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        try:
            self.wfile.write(answer.body)
        except (BrokenPipeError, ConnectionResetError):  # the page was closed
            self.close_connection = True
