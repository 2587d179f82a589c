"""A stand-in for vendors' Redfish services, none of which can run here.

Each is a file in ``redfish/``: the resources as the vendor's service shows them (a captured tree or its manual, named
there as ``source``, cut down to what a driver looks at), and ``how`` it answers: the status of a command that it takes
and what it says then, what it says where that is so already, and what it makes of If-Match. Power changes; boot
overrides and lights are kept.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from runbooks.oob.model import Bmc
from runbooks.secret import Secret
from tests.oob.https_server import ADDRESS, serving

VENDORS = sorted(path.stem for path in (Path(__file__).parent / "redfish").glob("*.json"))
USER, PASSWORD = "root", Secret("geheim: & mehr")
MONITOR = "/redfish/v1/TaskService/TaskMonitors/1"
Reply = tuple[int, Mapping[str, str], Any]


@dataclass
class StandIn:
    """One service. ``known`` are the reset types that it knows; ``instead`` has replies to give in another's place, by
    method and path, one for each request, the last for ever; ``lag`` is how many questions see the power as it was;
    ``task`` is what a command's task says; ``hangs_up`` after each answer, without a word."""

    vendor: str
    resources: dict[str, Any]
    how: dict[str, Any]
    known: list[str] = field(default_factory=list)
    target: str = ""
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    instead: dict[tuple[str, str], list[Reply]] = field(default_factory=dict)
    happened: list[str] = field(default_factory=list)
    connections: int = 0
    lag: int = 0
    hangs_up: bool = False
    task: list[Reply] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)

    @property
    def link(self) -> str:
        return str(self.resources["/redfish/v1/Systems"]["Members"][0]["@odata.id"])

    @property
    def system(self) -> dict[str, Any]:
        found: dict[str, Any] = self.resources[self.link]
        return found

    def offer(self, kinds: list[str]) -> None:
        """Know these, and say so where the vendor does."""
        self.known = kinds
        reset = self.system["Actions"]["#ComputerSystem.Reset"]
        if "ResetType@Redfish.AllowableValues" in reset:
            reset["ResetType@Redfish.AllowableValues"] = kinds
        if "@Redfish.ActionInfo" in reset:
            self.resources[reset["@Redfish.ActionInfo"]]["Parameters"][0]["AllowableValues"] = kinds

    def posts(self) -> list[str]:
        return [body.get("ResetType") for method, _, body in self.asked if method == "POST"]

    def reply(self, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Reply:
        self.asked.append((method, path, body))
        self.headers.append(dict(headers.items()))
        if replies := self.instead.get((method, path)):
            return replies.pop(0) if len(replies) > 1 else replies[0]
        login = base64.b64encode(f"{USER}:{PASSWORD.reveal()}".encode()).decode()
        if headers.get("Authorization") != f"Basic {login}" and path.rstrip("/") != "/redfish/v1":
            return 401, {}, error("Base.1.8.InsufficientPrivilege", "While accessing the resource, a log-in failed.")
        if method == "POST" and path == self.target:
            return self.reset(str(body.get("ResetType")))
        if path == MONITOR and self.task:
            return self.task.pop(0) if len(self.task) > 1 else self.task[0]
        resource = self.resources.get(path if "?" in path else path.rstrip("/"))
        if resource is None:
            return 404, {}, error("Base.1.8.ResourceMissingAtURI", f"The resource at the URI {path} was not found.")
        if method == "PATCH":
            return self.patch(resource, body, headers.get("If-Match", ""))
        if resource is self.system:
            self.see()
        return 200, {"ETag": resource["@odata.etag"]} if "@odata.etag" in resource else {}, resource

    def see(self) -> None:
        """What was asked for comes true once it was asked about often enough."""
        if self.pending and self.lag == 0:
            self.system["PowerState"] = self.pending.pop(0)
        elif self.pending:
            self.lag -= 1
            self.system["PowerState"] = self.how.get("between", {}).get(self.pending[0], self.system["PowerState"])

    def reset(self, kind: str) -> Reply:
        if kind not in self.known:
            said = f"The value {kind} for the parameter ResetType in the action Reset is not in the list of values."
            return 400, {}, error("Base.1.8.ActionParameterValueNotInList", said)
        on, already = self.system["PowerState"] == "On", self.how["already"]
        if kind in ("On", "ForceOn") if on else kind not in ("On", "ForceOn"):
            return already["status"], {}, already.get("on" if on else "off", {})
        self.happened.append(kind)
        become = ["Off"] if kind in ("ForceOff", "GracefulShutdown") else ["On"]
        self.pending = become
        if self.lag == 0:
            self.see()
        if self.how["taken"] == 202:
            task = {"@odata.id": MONITOR, "Id": "1", "TaskState": "New"}
            self.task = self.task or [(200, {}, {**task, "TaskState": "Completed"})]
            return 202, {"Location": MONITOR}, task
        return self.how["taken"], {}, self.how.get("says")

    def patch(self, resource: dict[str, Any], body: Any, tag: str) -> Reply:
        wanted = str(resource.get("@odata.etag", ""))
        wanted = wanted.removeprefix("W/") if self.how.get("tag") == "strong" else wanted
        if self.how.get("tag") and not tag:
            return 428, {}, self.how.get("missing", error("Base.1.8.PreconditionRequired", "A tag is needed."))
        if tag not in ("", "*", wanted) and self.how.get("tag"):
            said = "The ETag supplied did not match the ETag required to change this resource."
            return 412, {}, error("Base.1.8.PreconditionFailed", said)
        for key, value in body.items():
            if key not in resource:
                return 400, {}, error("Base.1.8.PropertyUnknown", f"The property {key} is not in the list.")
            if isinstance(value, dict):
                resource[key].update(value)
            else:
                resource[key] = value
        return 200, {}, resource

    def bmc(self, port: int, **more: Any) -> Bmc:
        return Bmc("db1001", "redfish", ADDRESS, USER, port, **more)


def error(name: str, message: str) -> dict[str, Any]:
    one = {"@odata.type": "#Message.v1_1_1.Message", "MessageId": name, "Message": message, "Severity": "Warning"}
    return {"error": {"code": name, "message": "See ExtendedInfo for more.", "@Message.ExtendedInfo": [one]}}


def standin(vendor: str) -> StandIn:
    found = json.loads((Path(__file__).parent / "redfish" / f"{vendor}.json").read_text())
    made = StandIn(vendor, found["resources"], found["how"])
    reset = made.system["Actions"]["#ComputerSystem.Reset"]
    made.target = reset["target"]
    values = reset.get("ResetType@Redfish.AllowableValues")
    made.known = values or made.resources[reset["@Redfish.ActionInfo"]]["Parameters"][0]["AllowableValues"]
    return made


@contextmanager
def running(service: StandIn, certificates: Path) -> Iterator[int]:
    """The port that it answers on."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30
        wbufsize = -1

        def setup(self) -> None:
            super().setup()
            service.connections += 1

        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            sent = json.loads(self.rfile.read(length)) if length else None
            status, headers, said = service.reply(self.command, self.path, sent, self.headers)
            body = b"" if said is None else said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(0 if status == 204 else len(body)))
            self.end_headers()
            if status != 204:
                self.wfile.write(body)
            self.close_connection = self.close_connection or service.hangs_up

        do_POST = do_PATCH = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with serving(Handler, certificates) as port:
        yield port
