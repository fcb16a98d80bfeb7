"""A server on loopback that takes pushes as the hub does: repositories, LFS, commits."""

from __future__ import annotations

import base64
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "hf_a-person-s-own"
LARGE = (".safetensors", "tokenizer.json")


class FakeHub:
    """What was pushed.

    Attributes:
        repos: name to {"private", "files": path to content}.
        objects: content of large files by hash, as they arrived.
        sent: hashes of the uploads, in order.
        held: while set, an upload of a `.safetensors` is read and never answered.
    """

    def __init__(self) -> None:
        self.repos: dict[str, dict[str, Any]] = {}
        self.objects: dict[str, bytes] = {}
        self.sent: list[str] = []
        self.held: set[str] = set()
        self.holding = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _handler(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *_: Any) -> None:
            """Nothing: tests look at what arrived."""

        def _body(self) -> bytes:
            if self.headers.get("transfer-encoding") == "chunked":
                parts = []
                while size := int(self.rfile.readline().strip(), 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(parts)
            return self.rfile.read(int(self.headers.get("content-length") or 0))

        def _answer(self, record: Any, status: int = 200) -> None:
            body = json.dumps(record).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self._answer({"error": "not found"}, 404)

        def do_PUT(self) -> None:
            content, oid = self._body(), self.path.rpartition("/")[2]
            hub.sent.append(oid)
            if oid in hub.held:
                hub.holding.set()
                threading.Event().wait(60)
            hub.objects[oid] = content
            self._answer({})

        def do_POST(self) -> None:
            body = self._body()
            if self.headers.get("authorization") != f"Bearer {TOKEN}":
                self._answer({"error": "no token"}, 401)
                return
            if self.path == "/api/repos/create":
                self._create(json.loads(body))
            elif self.path == "/api/validate-yaml":
                self._answer({"errors": [], "warnings": []})
            elif found := re.fullmatch(r"/api/models/(.+)/preupload/main", self.path):
                self._answer({"files": [_mode(file) for file in json.loads(body)["files"]]})
            elif self.path.endswith(".git/info/lfs/objects/batch"):
                self._answer({"objects": [self._large(o) for o in json.loads(body)["objects"]]})
            elif found := re.fullmatch(r"/api/models/(.+)/commit/main", self.path):
                self._commit(found[1], body)
            else:
                self._answer({"error": self.path}, 404)

        def _create(self, asked: dict[str, Any]) -> None:
            name = "/".join(filter(None, [asked.get("organization"), asked["name"]]))
            private = asked.get("visibility") == "private"
            hub.repos.setdefault(name, {"private": private, "files": {}})
            self._answer({"url": f"{hub.url}/{name}", "name": name})

        def _large(self, wanted: dict[str, Any]) -> dict[str, Any]:
            oid = wanted["oid"]
            if oid in hub.objects:
                return wanted
            return {**wanted, "actions": {"upload": {"href": f"{hub.url}/lfs/{oid}"}}}

        def _commit(self, repo: str, body: bytes) -> None:
            for line in filter(None, body.splitlines()):
                record = json.loads(line)
                value = record["value"]
                if record["key"] == "file":
                    content = base64.b64decode(value["content"])
                elif record["key"] == "lfsFile":
                    content = hub.objects[value["oid"]]
                else:
                    continue
                hub.repos[repo]["files"][value["path"]] = content
            self._answer(
                {"success": True, "commitOid": "1", "commitUrl": f"{hub.url}/{repo}/commit/1"}
            )

    return Handler


def _mode(file: dict[str, Any]) -> dict[str, Any]:
    mode = "lfs" if file["path"].endswith(LARGE) else "regular"
    return {"path": file["path"], "uploadMode": mode, "shouldIgnore": False}
