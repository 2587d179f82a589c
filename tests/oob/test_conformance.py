"""One suite that every driver passes, each against a BMC of its own kind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path

import pytest

from runbooks.errors import CommandFailed, LoginRefused, Lost, RunbookError, Unreachable
from runbooks.oob.drivers import driver_class
from runbooks.oob.model import Ability, Action, Driver, Power
from runbooks.secret import Secret
from tests.oob.world import Trouble, World
from tests.waiting import eventually

#: Each driver's world is a context manager ``world()`` in tests/oob/worlds/NAME.py.
SOON_S = 60.0
PATIENT_S = 30.0
HASTY_S = 3.0
"""For a BMC that says nothing; a good one may be slower than that where this machine is busy."""


WORLDS = sorted(path.stem for path in (Path(__file__).parent / "worlds").glob("[a-z]*.py"))


@pytest.fixture(scope="module", params=WORLDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def world_of_kind(kind: str) -> Iterator[World]:
    with import_module(f"tests.oob.worlds.{kind}").world() as made:
        yield made


@pytest.fixture
def world(world_of_kind: World) -> World:
    world_of_kind.turn(True)
    world_of_kind.forget()
    return world_of_kind


@pytest.fixture
def driver(kind: str, world: World) -> Iterator[Driver]:
    made = log_in(kind, world)
    yield made
    made.close()


def log_in(
    kind: str, world: World, user: str = "", password: Secret | None = None, timeout_s: float = PATIENT_S
) -> Driver:
    made = driver_class(kind)(world.bmc(user), password or world.password, timeout_s)
    made.connect_s = timeout_s
    return made


@contextmanager
def hasty(kind: str, world: World, timeout_s: float = HASTY_S) -> Iterator[Driver]:
    """One that does not wait for long."""
    made = log_in(kind, world, timeout_s=timeout_s)
    try:
        yield made
    finally:
        made.close()


def is_on(driver: Driver) -> bool:
    """Whether it says so in time."""
    with suppress(Unreachable):
        return driver.power() is Power.ON
    return False


def comes(driver: Driver, wanted: Power) -> bool:
    """Whether it comes to that, soon, as the driver sees it."""
    end = time.monotonic() + SOON_S
    while driver.power() is not wanted:
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("on", [True, False])
def test_it_says_whether_there_is_power(driver: Driver, world: World, on: bool) -> None:
    world.turn(on)
    assert comes(driver, Power.ON if on else Power.OFF)


def test_off_and_on(driver: Driver, world: World) -> None:
    driver.set_power(Action.OFF)
    assert comes(driver, Power.OFF)
    assert not world.is_on()
    driver.set_power(Action.ON)
    assert comes(driver, Power.ON)
    assert world.is_on()
    assert world.happened() == ["off", "on"]


@pytest.mark.parametrize("action", [Action.CYCLE, Action.RESET])
def test_a_machine_that_is_on_starts_anew(driver: Driver, world: World, action: Action) -> None:
    if Ability(action) not in driver.abilities:
        pytest.skip(f"{driver.title} has no {action}")
    driver.set_power(action)
    assert happens(world, {("off", "on"), ("reset",)})
    assert comes(driver, Power.ON)
    assert world.is_on()


@pytest.mark.parametrize("action", [Action.CYCLE, Action.RESET, Action.ON])
def test_a_machine_that_is_off_is_turned_on(driver: Driver, world: World, action: Action) -> None:
    if action is not Action.ON and Ability(action) not in driver.abilities:
        pytest.skip(f"{driver.title} has no {action}")
    world.turn(False)
    world.forget()
    assert comes(driver, Power.OFF)
    driver.set_power(action)
    assert comes(driver, Power.ON)
    assert world.is_on()
    assert world.happened() in (["on"], ["reset"])


def happens(world: World, wanted: set[tuple[str, ...]]) -> bool:
    end = time.monotonic() + SOON_S
    while tuple(world.happened()) not in wanted:
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize(("on", "action"), [(True, Action.ON), (False, Action.OFF), (False, Action.SHUTDOWN)])
def test_what_is_so_already_is_no_error(driver: Driver, world: World, on: bool, action: Action) -> None:
    if action is Action.SHUTDOWN and Ability.SHUTDOWN not in driver.abilities:
        pytest.skip(f"{driver.title} has no shutdown")
    world.turn(on)
    world.forget()
    assert comes(driver, Power.ON if on else Power.OFF)
    driver.set_power(action)
    assert world.is_on() is on
    assert "off" not in world.happened()


@pytest.mark.parametrize("wrong", ["password", "user"])
def test_a_wrong_log_in_is_told_and_does_nothing(kind: str, world: World, wrong: str) -> None:
    user, password = ("nobody", world.password) if wrong == "user" else ("", Secret("not the one"))
    driver = log_in(kind, world, user, password)
    with pytest.raises(LoginRefused if world.tells_wrong_password else Unreachable) as refused:
        driver.set_power(Action.OFF)
    driver.close()
    assert world.is_on()
    assert not world.happened()
    assert_plain(refused.value, world)


def assert_plain(error: RunbookError, world: World) -> None:
    """One line for a person, that names the host, and no secret."""
    text = str(error)
    assert "\n" not in text
    assert world.bmc().host in text
    assert world.password.reveal() not in text
    assert "Traceback" not in text and "object at 0x" not in text


def broken(world: World, trouble: Trouble) -> None:
    if trouble not in world.troubles:
        pytest.skip(f"cannot be had here: {trouble}")


def test_a_dead_bmc_is_found_out_soon(kind: str, world: World) -> None:
    broken(world, Trouble.DEAD)
    with world.broken(Trouble.DEAD), hasty(kind, world) as driver:
        with pytest.raises(Unreachable) as told:
            driver.power()
        assert not isinstance(told.value, LoginRefused)
        with pytest.raises(Unreachable):
            driver.set_power(Action.OFF)
    assert_plain(told.value, world)


def test_a_bmc_that_dies_between_two_questions_is_found_out(kind: str, world: World) -> None:
    broken(world, Trouble.DEAD)
    with hasty(kind, world) as driver:
        eventually(lambda: is_on(driver))
        with world.broken(Trouble.DEAD), pytest.raises(Unreachable):
            driver.power()
    again = log_in(kind, world)
    assert comes(again, Power.ON)
    again.close()


def test_a_bmc_that_hangs_in_the_middle_leaves_it_unknown(kind: str, world: World) -> None:
    broken(world, Trouble.HANGS)
    # ipmitool waits half of it for each packet; by ssh it is three times as much.
    with hasty(kind, world, HASTY_S * {"ipmitool": 4, "ipmi": 2, "redfish": 2}.get(kind, 1)) as driver:
        eventually(lambda: is_on(driver))
        with world.broken(Trouble.HANGS), pytest.raises(Lost) as told:
            driver.set_power(Action.OFF)
    assert_plain(told.value, world)


@pytest.mark.parametrize("trouble", [Trouble.GARBAGE, Trouble.DIALECT])
def test_answers_that_make_no_sense_are_no_answers(kind: str, world: World, trouble: Trouble) -> None:
    broken(world, trouble)
    with world.broken(trouble), hasty(kind, world) as driver, pytest.raises((CommandFailed, Unreachable)) as told:
        driver.power()
    assert_plain(told.value, world)


def test_success_that_is_none_shows_in_the_power(driver: Driver, world: World) -> None:
    broken(world, Trouble.LIES)
    with world.broken(Trouble.LIES):
        driver.set_power(Action.OFF)
        assert driver.power() is Power.ON
    assert world.is_on()


def test_power_that_comes_late_is_not_there_at_once(driver: Driver, world: World) -> None:
    with world.late(1.0):
        driver.set_power(Action.OFF)
        assert comes(driver, Power.OFF)
        driver.set_power(Action.ON)
        assert comes(driver, Power.ON)
    assert world.happened() == ["off", "on"]


def test_two_at_once_do_not_disturb_each_other(kind: str, world: World) -> None:
    drivers, errors = [log_in(kind, world), log_in(kind, world)], []

    def work(driver: Driver) -> None:
        try:
            for _ in range(3):
                driver.power()
            driver.set_power(Action.OFF)
            assert comes(driver, Power.OFF)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(driver,)) for driver in drivers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for driver in drivers:
        driver.close()
    assert not errors
    assert not world.is_on()


def test_the_event_log_has_the_newest_first(driver: Driver) -> None:
    if Ability.LOG not in driver.abilities:
        pytest.skip(f"{driver.title} has no log")
    entries = driver.log(5)
    assert len(entries) <= 5
    times = [entry.at for entry in entries if entry.at]
    assert times == sorted(times, reverse=True)


def test_the_identify_light(driver: Driver) -> None:
    if Ability.IDENTIFY not in driver.abilities:
        pytest.skip(f"{driver.title} has no identify light")
    driver.identify(True)
    driver.identify(False)


def test_the_password_is_in_no_command_line_and_no_words(driver: Driver, world: World) -> None:
    driver.power()
    assert world.password.reveal() not in repr(driver.bmc) + repr(vars(driver))
    assert world.password.reveal() not in driver.console()
