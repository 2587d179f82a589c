"""The Redfish driver against a stand-in for each vendor's service; against a real one it is in test_conformance.py."""

from __future__ import annotations

import copy
import select
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from runbooks.errors import CommandFailed, LoginRefused, Lost, Unreachable
from runbooks.oob import redfish, redfish_service
from runbooks.oob.model import Action, BootDevice, LogEntry, Power
from runbooks.oob.redfish import Redfish
from runbooks.oob.redfish_service import Refused
from runbooks.secret import Secret
from tests.oob.redfish_standin import MONITOR, PASSWORD, VENDORS, StandIn, error, running, standin

SYSTEMS = "/redfish/v1/Systems"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redfish, "_LOOK_AGAIN_S", 0.001)
    monkeypatch.setattr(redfish_service, "_LOOK_AGAIN_S", 0.001)


@pytest.fixture(params=VENDORS)
def vendor(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def service(vendor: str) -> StandIn:
    return standin(vendor)


@pytest.fixture
def driver(service: StandIn, tls: Path) -> Iterator[Redfish]:
    with running(service, tls) as port:
        made = Redfish(service.bmc(port, ca=str(tls / "ca.pem")), PASSWORD, 20.0)
        yield made
        made.close()


def only(*vendors: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vendor", vendors, indirect=True)


def reply(status: int, body: Any = None, **headers: str) -> tuple[int, dict[str, str], Any]:
    return status, {name.replace("_", "-"): value for name, value in headers.items()}, body


def test_there_is_one_for_each_vendor() -> None:
    assert VENDORS == ["ami", "idrac9", "ilo5", "openbmc", "supermicro_x11", "supermicro_x13", "xcc"]


@pytest.mark.parametrize("state", ["On", "Off", "PoweringOn", "PoweringOff", "Paused", None])
def test_power(driver: Redfish, service: StandIn, state: str | None) -> None:
    service.system["PowerState"] = state
    assert driver.power() is {"On": Power.ON, "Off": Power.OFF}.get(str(state), Power.UNKNOWN)
    assert [path for _, path, _ in service.asked] == [SYSTEMS, service.link]


IN_ONE = {"idrac9", "openbmc", "supermicro_x13"}


@pytest.mark.parametrize("lag", [0, 3])
@pytest.mark.parametrize(
    ("state", "action", "sent"),
    [
        ("On", Action.ON, []),
        ("Off", Action.ON, ["On"]),
        ("PoweringOn", Action.ON, []),
        ("On", Action.OFF, ["ForceOff"]),
        ("Off", Action.OFF, []),
        ("On", Action.SHUTDOWN, ["GracefulShutdown"]),
        ("Off", Action.SHUTDOWN, []),
        ("PoweringOff", Action.SHUTDOWN, []),
        ("On", Action.RESET, ["ForceRestart"]),
        ("Off", Action.RESET, ["On"]),
        ("On", Action.CYCLE, None),
        ("Off", Action.CYCLE, ["On"]),
    ],
)
def test_what_is_sent_for_each_action(
    driver: Redfish, service: StandIn, state: str, action: Action, sent: list[str] | None, lag: int
) -> None:
    service.system["PowerState"], service.lag = state, lag
    driver.set_power(action)
    if sent is None:
        sent = ["PowerCycle"] if service.vendor in IN_ONE else ["ForceOff", "On"]
    assert service.posts() == service.happened == sent
    service.lag = 0
    if sent:
        assert driver.power() is (Power.OFF if action in (Action.OFF, Action.SHUTDOWN) else Power.ON)
    assert not [path for method, path, _ in service.asked if method == "POST" and "Chassis" in path]


def without(service: StandIn, *kinds: str) -> None:
    """A service that has them not."""
    service.offer([kind for kind in service.known if kind not in kinds])


def test_a_reset_without_a_force_restart_is_a_power_cycle_or_an_off_and_an_on(
    driver: Redfish, service: StandIn
) -> None:
    without(service, "ForceRestart")
    driver.set_power(Action.RESET)
    assert service.happened == (["PowerCycle"] if service.vendor in IN_ONE else ["ForceOff", "On"])


@only("openbmc", "supermicro_x11", "supermicro_x13", "xcc")
def test_where_there_is_no_on_there_is_a_force_on(driver: Redfish, service: StandIn) -> None:
    service.system["PowerState"] = "Off"
    without(service, "On")
    driver.set_power(Action.ON)
    assert service.happened == ["ForceOn"]


def test_what_a_service_has_not_is_refused_with_what_it_has(driver: Redfish, service: StandIn) -> None:
    without(service, "GracefulShutdown")
    with pytest.raises(CommandFailed, match=r"db1001: .*: it has no shutdown, but .*ForceOff"):
        driver.set_power(Action.SHUTDOWN)
    assert not service.posts()


def test_a_service_that_does_not_say_what_it_has_is_tried(driver: Redfish, service: StandIn) -> None:
    reset = service.system["Actions"]["#ComputerSystem.Reset"]
    reset.pop("ResetType@Redfish.AllowableValues", None)
    reset.pop("@Redfish.ActionInfo", None)
    driver.set_power(Action.CYCLE)
    assert service.posts() == (["PowerCycle"] if service.vendor in IN_ONE else ["PowerCycle", "ForceOff", "On"])


@only("idrac9")
@pytest.mark.parametrize("status", [400, 405, 501])
def test_what_is_offered_and_then_not_known_is_done_another_way(driver: Redfish, service: StandIn, status: int) -> None:
    ok = reply(204)
    service.instead["POST", service.target] = [reply(status, error("Base.1.8.NotImplemented", "no such")), ok]
    driver.set_power(Action.RESET)
    assert service.posts() == ["ForceRestart", "PowerCycle"]


@pytest.mark.parametrize(("state", "action"), [("On", Action.ON), ("Off", Action.OFF), ("Off", Action.SHUTDOWN)])
def test_somebody_else_was_faster(driver: Redfish, service: StandIn, state: str, action: Action) -> None:
    service.system["PowerState"] = state
    before = {**service.system, "PowerState": "On" if state == "Off" else "Off"}
    service.instead["GET", service.link] = [reply(200, before), reply(200, service.system)]
    driver.set_power(action)
    assert not service.happened and len(service.posts()) == 1


@only("idrac9", "ilo5")
def test_a_refusal_says_why(driver: Redfish, service: StandIn) -> None:
    service.instead["GET", service.link] = [reply(200, {**service.system, "PowerState": "Off"})]
    with pytest.raises(Refused) as told:
        driver.set_power(Action.ON)
    said = {"idrac9": "409: Server is already powered ON.", "ilo5": "400: InvalidOperationForSystemState: Power is on"}
    assert f"refused ({said[service.vendor]})" in str(told.value)
    assert '{"ResetType": "On"}' in str(told.value) and str(told.value).startswith("db1001: 127.0.0.1:")


@only("ilo5")
def test_power_that_never_goes_is_not_turned_on(
    driver: Redfish, service: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redfish, "_OFF_S", 0.05)
    service.lag = 1_000_000
    with pytest.raises(CommandFailed, match=r"not off 0\.05 s after ForceOff: nothing else was sent"):
        driver.set_power(Action.CYCLE)
    assert service.posts() == ["ForceOff"]


@only("ilo5")
def test_what_breaks_between_off_and_on_is_told(
    driver: Redfish, service: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redfish, "_OFF_S", 0.05)
    service.instead["GET", service.link] = [reply(200, copy.deepcopy(service.system))] * 2 + [reply(503)]
    with pytest.raises(Lost, match=r"ForceOff was taken, On was not sent: .*busy"):
        driver.set_power(Action.CYCLE)


@only("ilo5")
def test_a_service_that_is_busy_while_the_power_goes_is_asked_again(driver: Redfish, service: StandIn) -> None:
    on, off = ({**service.system, "PowerState": state} for state in ("On", "Off"))
    replies = [reply(200, on), reply(200, on), reply(503), reply(200, on), reply(503), reply(200, off)]
    service.instead["GET", service.link] = replies
    driver.set_power(Action.CYCLE)
    assert service.posts() == ["ForceOff", "On"]


@only("ilo5")
def test_a_machine_that_is_off_and_does_not_go_on_is_told(driver: Redfish, service: StandIn) -> None:
    on, off = ({**service.system, "PowerState": state} for state in ("On", "Off"))
    service.instead["GET", service.link] = [reply(200, on), reply(200, on), reply(200, off)]
    service.instead["POST", service.target] = [reply(200), reply(500, error("Base.1.8.InternalError", "broken"))]
    with pytest.raises(CommandFailed, match=r"broken.*; it is off now"):
        driver.set_power(Action.CYCLE)


RUNNING = {"@odata.id": MONITOR, "TaskState": "Running"}


@only("ami")
def test_a_task_is_waited_for(driver: Redfish, service: StandIn) -> None:
    service.task = [reply(202, RUNNING), reply(200, RUNNING), reply(200, {**RUNNING, "TaskState": "Completed"})]
    driver.set_power(Action.OFF)
    assert [path for method, path, _ in service.asked if path == MONITOR and method == "GET"] == [MONITOR] * 3


@only("ami")
def test_a_task_that_fails_is_told(driver: Redfish, service: StandIn) -> None:
    failed = {"TaskState": "Exception", "Messages": [{"Message": "The chassis is locked."}]}
    service.task, service.lag = [reply(202, RUNNING), reply(200, failed)], 9
    with pytest.raises(Refused, match=r"TaskMonitors/1: Exception \(The chassis is locked\.\)"):
        driver.set_power(Action.OFF)


@only("ami")
@pytest.mark.parametrize("after", [reply(404), reply(503), reply(200, {"TaskState": "Running"})])
def test_a_task_that_cannot_be_followed_was_taken_all_the_same(
    driver: Redfish, service: StandIn, after: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.task = [after]
    driver.power()
    monkeypatch.setattr(driver._service, "_timeout_s", 0.05)
    driver.set_power(Action.OFF)
    assert service.happened == ["ForceOff"]


WRONG = [(401, LoginRefused), (403, LoginRefused), (503, Unreachable), (500, CommandFailed), (404, CommandFailed)]


@only("openbmc")
@pytest.mark.parametrize(("status", "kind"), WRONG)
def test_a_question_that_is_refused(driver: Redfish, service: StandIn, status: int, kind: type[Exception]) -> None:
    wait = {"Retry_After": "30"} if status == 503 else {}
    service.instead["GET", service.link] = [reply(status, error("Base.1.8.Some", "Some\nreason."), **wait)]
    with pytest.raises(kind, match=rf"{status}: Some reason\.") as told:
        driver.power()
    assert isinstance(told.value, LoginRefused) is (kind is LoginRefused)
    assert ("again in 30 s" in str(told.value)) is (status == 503)


@only("openbmc")
@pytest.mark.parametrize("status", [401, 403])
def test_a_command_for_which_one_has_no_right(driver: Redfish, service: StandIn, status: int) -> None:
    service.instead["POST", service.target] = [reply(status, error("Base.1.8.InsufficientPrivilege", "not you"))]
    with pytest.raises(LoginRefused, match=r"root is refused .*not you"):
        driver.set_power(Action.OFF)
    assert not service.happened


@only("openbmc")
def test_a_busy_service_takes_no_command(driver: Redfish, service: StandIn) -> None:
    service.instead["POST", service.target] = [reply(503)]
    with pytest.raises(Refused, match="503"):
        driver.set_power(Action.OFF)


NONSENSE = [
    b"", b"[]", b"null", b"12", b'{"Members": ', b"[" * 100_000, b"\xff\xfe", b'{"Members": 3}',
    b'{"Members": [3, null]}',
    b'{"Members": [{"@odata.id": 7}]}', b'{"Members": [{"@odata.id": "https://evil.example/redfish/v1/Systems/1"}]}',
    b'{"Members": [{"@odata.id": "//evil.example/redfish"}]}', b'{"Members": [{"@odata.id": "/a b\\r\\nX: y"}]}',
    b'{"Members": [{"@odata.id": "/\\u20ac"}]}', b'{"kind": "Status", "code": 403}',
]  # fmt: skip


@only("xcc")
@pytest.mark.parametrize("body", NONSENSE)
def test_an_answer_that_makes_no_sense(driver: Redfish, service: StandIn, body: bytes) -> None:
    service.instead["GET", SYSTEMS] = [reply(200, body)]
    with pytest.raises(CommandFailed) as told:
        driver.power()
    assert len(service.asked) == 1 and "\n" not in str(told.value)


@only("xcc")
@pytest.mark.parametrize("key", ["Actions", "Boot", "Links", "Oem", "BootProgress", "LogServices", "PowerState"])
@pytest.mark.parametrize("value", [None, 3, [], [None], {}, "x", {"a": [1]}, [{"@odata.id": 3}]])
def test_a_resource_whose_parts_make_no_sense_breaks_nothing(
    driver: Redfish, service: StandIn, key: str, value: Any
) -> None:
    service.system[key] = value
    for question in (driver.progress, driver.serial, driver.boot_device, driver.power):
        question()
    for act in (lambda: driver.log(3), lambda: driver.set_power(Action.RESET), lambda: driver.identify(True)):
        try:
            act()
        except CommandFailed as told:
            assert "\n" not in str(told)


@only("openbmc")
def test_a_terminal_obeys_no_service(driver: Redfish, service: StandIn) -> None:
    evil = "\x1b[2Jgone\nfor good\u202e"
    service.system.update({"SerialNumber": evil, "BootProgress": {"LastState": evil}})
    service.system["SerialConsole"]["SSH"]["Port"] = "22; reboot"
    for entry in service.resources[f"{service.link}/LogServices/EventLog/Entries"]["Members"]:
        entry |= {"Message": evil, "Id": evil, "Severity": evil}
    service.instead["POST", service.target] = [reply(409, error("Base.1.8.Evil", evil))]
    with pytest.raises(Refused) as told:
        driver.set_power(Action.OFF)
    words = [driver.serial(), driver.progress(), str(told.value), *vars_of(driver.log(3))]
    assert all(word.isprintable() for word in words) and "gone for good" in str(told.value)
    assert driver.console() == "ssh -p '22; reboot' root@127.0.0.1"


def vars_of(entries: Sequence[LogEntry]) -> list[str]:
    return [word for one in entries for word in (one.id, one.at, one.severity, one.message)]


@only("xcc")
def test_a_web_page_is_named_by_its_title_not_by_its_text(driver: Redfish, service: StandIn) -> None:
    page = b"<html><title>\n XClarity  Controller </title><body>Authorization: Basic abc</body>"
    service.instead["GET", SYSTEMS] = [reply(200, page, Content_Type="text/html; charset=utf-8")]
    with pytest.raises(CommandFailed, match=r"no Redfish comes back, but text/html \(“XClarity Controller”\)$"):
        driver.power()


@only("ilo5")
def test_a_redirect_on_the_same_server_is_followed_for_a_question(driver: Redfish, service: StandIn) -> None:
    service.instead["GET", SYSTEMS] = [reply(308, Location="Systems/")]
    assert driver.power() is Power.ON
    service.instead["POST", service.target] = [reply(308, Location=f"{service.target}/")]
    with pytest.raises(Refused, match="308: it wants us to go to"):
        driver.set_power(Action.OFF)
    assert len(service.posts()) == 1


@only("ilo5")
@pytest.mark.parametrize("place", ["https://127.0.0.2/redfish/v1/Systems", "http://127.0.0.1/redfish/v1/Systems"])
def test_a_redirect_elsewhere_is_not_followed(driver: Redfish, service: StandIn, place: str) -> None:
    service.instead["GET", SYSTEMS] = [reply(302, Location=place)]
    with pytest.raises(CommandFailed, match="not followed"):
        driver.power()
    assert len(service.asked) == 1


@only("ilo5")
def test_a_redirect_to_nowhere_is_refused(driver: Redfish, service: StandIn) -> None:
    service.instead["GET", SYSTEMS] = [reply(302)]
    with pytest.raises(Refused, match="302"):
        driver.power()
    assert len(service.asked) == 1


@only("ilo5")
def test_redirects_in_a_circle_end(driver: Redfish, service: StandIn) -> None:
    service.instead["GET", SYSTEMS] = [reply(302, Location=SYSTEMS)]
    with pytest.raises(Refused, match="302"):
        driver.power()


def second(service: StandIn, **more: Any) -> None:
    """Another system in the same service."""
    link = f"{SYSTEMS}/second"
    service.resources[link] = {**copy.deepcopy(service.system), "@odata.id": link, "Id": "second", **more}
    service.resources[SYSTEMS]["Members"].insert(0, {"@odata.id": link})
    service.__class__ = SecondStandIn


class SecondStandIn(StandIn):
    """Its own system is the last."""

    @property
    def link(self) -> str:
        return str(self.resources[SYSTEMS]["Members"][-1]["@odata.id"])


NAMES = [{"HostName": "db1001"}, {"HostName": "DB1001.example.org"}, {"AssetTag": "db1001"}, {"Name": "db1001"}]


@only("openbmc")
@pytest.mark.parametrize("name", NAMES)
def test_of_several_systems_it_is_the_one_with_the_host_s_name(
    driver: Redfish, service: StandIn, name: dict[str, str]
) -> None:
    second(service, HostName="db1002", AssetTag="", Name="b")
    service.system.update(name)
    driver.set_power(Action.OFF)
    assert service.happened == ["ForceOff"]
    assert service.resources[f"{SYSTEMS}/second"]["PowerState"] == "On"


@only("openbmc")
@pytest.mark.parametrize(("name", "why"), [("db1002", "none of them is"), ("db1001", "several of them are")])
def test_several_systems_are_refused_where_it_would_be_a_guess(
    driver: Redfish, service: StandIn, name: str, why: str
) -> None:
    second(service, HostName=name)
    service.system["HostName"] = name
    with pytest.raises(CommandFailed, match=rf"2 systems \(second, system\), and {why} called db1001: set"):
        driver.set_power(Action.OFF)
    assert not service.posts()


@only("openbmc")
def test_a_hypervisor_is_no_machine(driver: Redfish, service: StandIn) -> None:
    second(service, SystemType="OS")
    driver.set_power(Action.OFF)
    assert service.happened == ["ForceOff"]


@only("openbmc")
def test_no_system_is_refused(driver: Redfish, service: StandIn) -> None:
    service.instead["GET", SYSTEMS] = [reply(200, {"Members": []})]
    with pytest.raises(CommandFailed, match=r"it has 0 systems \(none\)"):
        driver.power()


SUPERMICRO = [
    ("2", "2018-08-12T13:00:00Z", "", "[ PS2 Status ] Power Supply Failure Detected (deasserted)"),
    ("1", "2018-08-12T12:46:25Z", "", "[ OEM ] Correctable ECC @DIMMB1"),
]
LOGS = {
    "supermicro_x11": SUPERMICRO,
    "supermicro_x13": SUPERMICRO,
    "idrac9": [
        ("3", "2025-12-15T14:23:15Z", "critical", "The system board MEM1 Memory device status is disabled."),
        ("2", "2025-12-14T07:00:00Z", "ok", "The power supplies are redundant."),
        ("1", "2025-12-14T05:30:00Z", "ok", "Log cleared."),
    ],
    "ilo5": [
        ("2", "2024-02-01T00:00:00Z", "critical", "System Power Supply: Input Power Loss (Power Supply 2)"),
        ("1", "2024-01-29T14:25:38Z", "ok", "Processor 2, DIMM 5 could not be authenticated."),
        ("3", "", "ok", "IML cleared"),
    ],
    "xcc": [
        ("1", "2022-03-01T09:00:00Z", "warning", "Non-redundant:Insufficient Resources for Power Resource."),
    ],
    "openbmc": [
        ("2", "2019-05-29T13:19:28Z", "critical", "xyz.openbmc_project.State.Error.PowerRailFault"),
        ("1", "2019-05-29T13:19:27Z", "critical", "org.open_power.Host.Error.Event"),
        ("3", "", "ok", "org.open_power.Host.Boot"),
    ],
    "ami": [("2", "2026-10-10T06:57:23Z", "ok", "S5 / G2"), ("1", "2026-10-10T06:57:23Z", "ok", "S0 / G0")],
}  # fmt: skip


def test_the_event_log(driver: Redfish, service: StandIn) -> None:
    entries = [(one.id, one.at, one.severity, one.message) for one in driver.log(10)]
    assert entries == LOGS[service.vendor]
    assert [one.id for one in driver.log(1)] == [entries[0][0]]


@only("idrac9")
def test_no_more_pages_are_read_than_needed(driver: Redfish, service: StandIn) -> None:
    assert [one.id for one in driver.log(2)] == ["3", "2"]
    assert not [path for _, path, _ in service.asked if "$skip" in path]


@only("idrac9")
def test_a_log_is_read_on_where_the_first_page_is_not_the_newest(driver: Redfish, service: StandIn) -> None:
    pages = [path for path in service.resources if "/Sel/Entries" in path]
    service.resources[pages[0]]["Members"].reverse()
    service.resources[pages[0]]["Members@odata.nextLink"] = "Entries?$skip=2"
    assert [one.id for one in driver.log(2)] == ["3", "2"]
    assert service.asked[-1][1] == pages[1]


@only("supermicro_x11")
def test_what_a_service_refers_to_and_has_not_is_passed_over(driver: Redfish, service: StandIn) -> None:
    del service.resources["/redfish/v1/Managers/1"]
    assert len(driver.log(9)) == 2
    service.system["LogServices"]["@odata.id"] += "x"
    with pytest.raises(CommandFailed, match=r"it has no system event log$"):
        driver.log(9)


@only("idrac9")
def test_pages_in_a_circle_end(driver: Redfish, service: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runbooks.oob.redfish_log._MOST_PAGES", 7)
    page = next(path for path in service.resources if "$skip" in path)
    service.resources[page]["Members@odata.nextLink"] = page
    driver.log(100)
    assert len([path for _, path, _ in service.asked if path == page]) == 6


@only("openbmc")
def test_a_service_without_an_event_log_says_what_it_has(driver: Redfish, service: StandIn) -> None:
    logs = service.resources[f"{service.link}/LogServices"]
    logs["Members"] = [one for one in logs["Members"] if "EventLog" not in one["@odata.id"]]
    with pytest.raises(CommandFailed, match=r"it has no system event log \(dump, postcodes, journal\)"):
        driver.log(3)


def test_boot_from_the_network_once(driver: Redfish, service: StandIn) -> None:
    assert driver.boot_device() is BootDevice.NONE
    driver.set_boot_device(BootDevice.NETWORK)
    boot = service.system["Boot"]
    assert (boot["BootSourceOverrideEnabled"], boot["BootSourceOverrideTarget"]) == ("Once", "Pxe")
    assert driver.boot_device() is BootDevice.NETWORK
    driver.set_boot_device(BootDevice.NONE)
    assert (boot["BootSourceOverrideEnabled"], boot["BootSourceOverrideTarget"]) == ("Disabled", "None")
    assert driver.boot_device() is BootDevice.NONE
    sent = [body["Boot"] for method, _, body in service.asked if method == "PATCH"]
    assert all(("BootSourceOverrideMode" in one) is (service.vendor == "supermicro_x13") for one in sent)


@pytest.mark.parametrize("device", list(BootDevice))
def test_each_boot_device_comes_back_as_it_was_set(driver: Redfish, device: BootDevice) -> None:
    driver.set_boot_device(device)
    assert driver.boot_device() is device


@only("xcc")
def test_a_boot_device_that_is_not_offered(driver: Redfish, service: StandIn) -> None:
    service.system["Boot"]["BootSourceOverrideTarget@Redfish.AllowableValues"] = ["None", "Hdd"]
    with pytest.raises(CommandFailed, match="it does not boot from network, but from None, Hdd"):
        driver.set_boot_device(BootDevice.NETWORK)
    service.system["Boot"] |= {"BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": "Utilities"}
    with pytest.raises(CommandFailed, match="the next boot is from Utilities"):
        driver.boot_device()


@only("ami")
def test_a_tag_is_sent_and_again_without_its_weakness(driver: Redfish, service: StandIn) -> None:
    driver.set_boot_device(BootDevice.DISK)
    tags = [sent.get("If-Match") for sent, (method, *_) in zip(service.headers, service.asked, strict=True)
            if method == "PATCH"]  # fmt: skip
    assert tags == ['W/"1761004200"', '"1761004200"']


@only("openbmc")
def test_where_a_tag_is_wanted_and_none_was_given_any_will_do(driver: Redfish, service: StandIn) -> None:
    service.how["tag"] = "strict"
    driver.set_boot_device(BootDevice.DISK)
    assert service.headers[-1]["If-Match"] == "*"


def test_the_light(driver: Redfish, service: StandIn) -> None:
    key = "LocationIndicatorActive" if service.vendor in ("openbmc", "supermicro_x13") else "IndicatorLED"
    driver.identify(True)
    assert service.system[key] in (True, "Blinking")
    driver.identify(False)
    assert service.system[key] in (False, "Off")


@only("ilo5")
def test_a_light_that_cannot_blink_is_lit(driver: Redfish, service: StandIn) -> None:
    unknown = reply(400, error("Base.1.4.PropertyValueNotInList", "Blinking is not in the list."))
    service.instead["PATCH", service.link] = [unknown, reply(200)]
    driver.identify(True)
    assert [body for method, _, body in service.asked if method == "PATCH"][-1] == {"IndicatorLED": "Lit"}


@only("idrac9")
def test_the_chassis_light_where_the_system_has_none(driver: Redfish, service: StandIn) -> None:
    del service.system["IndicatorLED"]
    driver.identify(True)
    assert service.resources["/redfish/v1/Chassis/System.Embedded.1"]["IndicatorLED"] == "Blinking"
    del service.resources["/redfish/v1/Chassis/System.Embedded.1"]["IndicatorLED"]
    with pytest.raises(CommandFailed, match="db1001: Redfish has no identify"):
        driver.identify(True)


TOLD = {
    "idrac9": ("OSRunning", "6C921M3"),
    "ilo5": ("InPostDiscoveryComplete", "2M2D2J00L4"),
    "supermicro_x11": ("", ""),
    "supermicro_x13": ("SystemHardwareInitializationComplete", "S514359X4916804"),
    "xcc": ("OSBooted", "J101RZ43"),
    "openbmc": ("MemoryInitializationStarted", "Y130UF72701J"),
    "ami": ("", "20743160N006"),
}


def test_how_far_a_boot_has_come_and_whose_it_is(driver: Redfish, service: StandIn) -> None:
    assert (driver.progress(), driver.serial()) == TOLD[service.vendor]


@only("supermicro_x11", "ami")
@pytest.mark.parametrize("word", ["To be filled by O.E.M.", "Not Specified", "", None, "Default string", "N/A"])
def test_no_serial_number_is_none(driver: Redfish, service: StandIn, word: str | None) -> None:
    service.system["SerialNumber"] = word
    assert driver.serial() == ""
    service.system["SerialNumber"] = "NAC0123456789"
    assert driver.serial() == "NAC0123456789"


@only("openbmc")
def test_a_vendor_s_own_boot_state(driver: Redfish, service: StandIn) -> None:
    service.system["BootProgress"] = {"LastState": "OEM", "OemLastState": "PXE"}
    service.system["Oem"] = {"Hpe": {"PostState": "InPost"}, "Lenovo": {"SystemStatus": "InPost"}}
    assert driver.progress() == "PXE, InPost"


def test_one_connection_does(driver: Redfish, service: StandIn) -> None:
    driver.power()
    driver.set_power(Action.CYCLE)
    driver.log(3)
    assert service.connections == 1


@only("ilo5")
def test_a_connection_that_was_ended_meanwhile_is_made_again(driver: Redfish, service: StandIn) -> None:
    assert driver.power() is Power.ON
    service.instead["GET", service.link] = [reply(200, service.system, Connection="close"), reply(200, service.system)]
    for _ in range(3):
        driver.power()
    driver.set_power(Action.OFF)
    assert service.connections == 2 and service.happened == ["ForceOff"]


@only("ilo5")
def test_a_connection_that_was_ended_without_a_word_is_made_again(driver: Redfish, service: StandIn) -> None:
    service.hangs_up = True
    driver.power()
    held = driver._service._https._connection
    assert held is not None
    select.select([held.sock], [], [], 60)
    service.hangs_up = False
    driver.set_power(Action.OFF)
    assert driver.power() is Power.OFF
    assert service.happened == service.posts() == ["ForceOff"]


@only("ilo5")
def test_no_proxy_of_the_environment_comes_in(driver: Redfish, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert driver.power() is Power.ON


@only("ilo5")
def test_the_password_is_in_no_words(service: StandIn, tls: Path) -> None:
    secret = "noch geheimer"
    with running(service, tls) as port:
        driver = Redfish(service.bmc(port, ca=str(tls / "ca.pem")), Secret(secret), 20.0)
        with pytest.raises(LoginRefused) as told:
            driver.power()
        driver.close()
    words = str(told.value) + repr(vars(driver)) + repr(vars(driver._service)) + repr(vars(driver._service._https))
    assert secret not in words and "Basic" not in words
    assert "root is refused (401: While accessing the resource, a log-in failed.)" in str(told.value)


def test_the_console(driver: Redfish, service: StandIn) -> None:
    over_lan = "ipmitool -I lanplus -H 127.0.0.1 -U root -a sol activate"
    assert driver.console() == over_lan
    driver.power()
    assert driver.console() == ("ssh -p 2200 root@127.0.0.1" if service.vendor == "openbmc" else over_lan)
