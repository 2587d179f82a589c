"""What is done to mailing lists, as runs: cut off at every point, taken up again, taken back."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runbooks.engine import Draft
from runbooks.errors import Blocked, Drift, UsageError
from runbooks.lists.changes import Created
from runbooks.lists.model import EVERYBODY, Held
from runbooks.model import Event, Result, RunStatus, Status
from runbooks.procedure import Procedure
from runbooks.procedures import list_create, list_disable, list_enable, list_reset_password
from runbooks.procedures.mailing_lists import meant
from runbooks.secret import Secret
from tests.lists.pretended import DOMAIN, PretendedReader, Server, site_of
from tests.standins import Life, PowerCut

CATS = f"cats@{DOMAIN}"
MAIL = [Held("1", "spam@example.net", "Buy"), Held("2", "eve@example.net", "Hello")]


@pytest.fixture
def server() -> Server:
    made = Server()
    made.of("cats", owner=["ann@example.org", "bob@example.org"], moderator=["mo@example.org"], ban_list=["bad@x.org"])
    made.of("dogs", advertised=False)
    return made


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/journal.db"


def draft(procedure: Procedure[Any], server: Server, url: str, **arguments: Any) -> Draft:
    """What a procedure proposes now, for cats."""
    return procedure.draft(site_of(server, url), {"list": CATS, **arguments})


def results(run: Any) -> list[Result]:
    return [outcome.result for _, outcome in sorted(run.outcomes().items())]


# disable


def test_a_disabled_list_is_closed_has_no_admins_and_says_so(server: Server, url: str) -> None:
    server.held["cats"] = list(MAIL)
    run = Life(url, server).apply(draft(list_disable.PROCEDURE, server, url, discard_held=True))
    assert run.status is RunStatus.DONE
    cats = server.lists["cats"]
    assert (cats["open"], cats["ban_list"]) == (False, ["bad@x.org", EVERYBODY])
    assert (cats["owner"], cats["moderator"], cats["advertised"]) == ([], [], True)
    assert cats["description"] == "[disabled] about cats"
    assert server.held["cats"] == []
    assert [what for what, *_ in server.writes].index("discard") > 0, "closed before anything is thrown away"


def test_held_mail_is_shown_and_refused_without_leave(server: Server, url: str) -> None:
    server.held["cats"] = list(MAIL)
    with pytest.raises(Blocked, match=r"2 held messages: spam@example.net \(Buy\), eve@.*--discard-held"):
        Life(url, server).apply(draft(list_disable.PROCEDURE, server, url))
    assert server.writes == []


@pytest.mark.parametrize("then", [MAIL[1:], [*MAIL, Held("3", "ann@example.org", "Important")]], ids=["went", "came"])
def test_an_older_plan_throws_away_nothing_that_came_since(server: Server, url: str, then: list[Held]) -> None:
    server.held["cats"] = list(MAIL)
    life, proposed = Life(url, server), draft(list_disable.PROCEDURE, server, url, discard_held=True)
    plan = life.engine.plan(proposed)
    server.held["cats"] = list(then)
    with pytest.raises(Drift, match=f"count was 2, is {len(then)}"):
        life.engine.apply(plan, proposed, _batch())
    assert server.held["cats"] == list(then) and server.writes == []


def test_held_mail_that_a_moderator_sees_to_while_the_list_is_closed_stops_nothing(server: Server, url: str) -> None:
    server.held["cats"] = list(MAIL)
    life, proposed = Life(url, server), draft(list_disable.PROCEDURE, server, url, discard_held=True)
    plan = life.engine.plan(proposed)
    (finding,) = plan.steps[1].findings.values()
    assert finding.note == "2 held messages, and what else is held until the list is closed"

    def moderate(point: str, _domain: str, what: str) -> None:
        if (point, what) == ("begin", "configure") and not server.writes:
            server.held["cats"] = []

    server.hooks.append(moderate)
    run = life.engine.apply(plan, proposed, _batch())
    assert run.status is RunStatus.DONE and server.held["cats"] == []


def test_a_run_says_how_far_it_is_and_stops_where_it_can_go_on(server: Server, url: str) -> None:
    server.held["cats"] = list(MAIL)
    life, seen = Life(url, server), []

    def watch(event: Event) -> None:
        seen.append(event)
        if event.data.get("note") == "1 of 2 discarded":
            life.engine.stop.ask("SIGINT")

    life.engine = replace(life.engine, observer=watch)
    proposed = draft(list_disable.PROCEDURE, server, url, discard_held=True)
    run = life.apply(proposed)
    assert [event.data["note"] for event in seen if event.kind == "progress"] == [
        "0 of 2 discarded",
        "1 of 2 discarded",
    ]
    assert "progress" not in {event.kind for event in life.journal.run(run.id).events}
    assert run.status is RunStatus.INCOMPLETE and server.held["cats"] == [MAIL[1]]
    assert run.outcomes()[1, f"@{DOMAIN}"].note == "stopped before the rest"
    assert Life(url, server).resume(run.id, proposed).status is RunStatus.DONE and server.held["cats"] == []


def test_held_mail_that_comes_where_nobody_gave_leave_stops_the_run(server: Server, url: str) -> None:
    def mail(point: str, _domain: str, what: str) -> None:
        if (point, what) == ("begin", "configure"):
            server.held["cats"] = list(MAIL)

    life = Life(url, server)
    server.hooks.append(mail)
    run = life.apply(draft(list_disable.PROCEDURE, server, url))
    assert run.status is RunStatus.INCOMPLETE
    assert len(server.held["cats"]) == 2 and server.lists["cats"]["owner"]


def test_many_held_messages_are_counted(server: Server, url: str) -> None:
    server.held["cats"] = [Held(str(n), f"s{n}@example.net", "Buy") for n in range(3_000)]
    (finding,) = (
        Life(url, server)
        .engine.plan(draft(list_disable.PROCEDURE, server, url, discard_held=True))
        .steps[1]
        .findings.values()
    )
    assert len(finding.preview) == 21 and finding.preview[-1] == "-held: … and 2,980 more"
    with pytest.raises(Blocked, match=r"3,000 held messages: s0@.* and 2,996 more: look at them"):
        Life(url, server).apply(draft(list_disable.PROCEDURE, server, url))


def test_the_plan_shows_what_changes_and_nothing_else(server: Server, url: str) -> None:
    plan = Life(url, server).engine.plan(draft(list_disable.PROCEDURE, server, url))
    lines = [line for step in plan.steps for finding in step.findings.values() for line in finding.preview]
    assert f"+ban_list: {EVERYBODY}" in lines and not any("bad@x.org" in line for line in lines)
    assert "-owner: ann@example.org" in lines and "+description: [disabled] about cats" in lines
    assert server.writes == []


def test_a_disabled_list_has_nothing_left_to_do(server: Server, url: str) -> None:
    Life(url, server).apply(draft(list_disable.PROCEDURE, server, url))
    plan = Life(url, server).engine.plan(draft(list_disable.PROCEDURE, server, url))
    assert {f.status for step in plan.steps for f in step.findings.values()} == {Status.DONE}


# enable


@pytest.mark.parametrize("name", ["cats", "dogs"])
def test_enable_gives_back_exactly_what_was(server: Server, url: str, name: str) -> None:
    before = copy.deepcopy(server.lists)
    for procedure in (list_disable.PROCEDURE, list_enable.PROCEDURE):
        run = Life(url, server).apply(draft(procedure, server, url, list=f"{name}@{DOMAIN}"))
        assert run.status is RunStatus.DONE
    assert server.lists == before


def test_enable_keeps_what_others_have_put_in_since(server: Server, url: str) -> None:
    Life(url, server).apply(draft(list_disable.PROCEDURE, server, url))
    server.lists["cats"]["ban_list"].append("worse@x.org")
    server.lists["cats"]["owner"] = ["amy@example.org"]
    assert Life(url, server).apply(draft(list_enable.PROCEDURE, server, url)).status is RunStatus.DONE
    assert server.lists["cats"]["ban_list"] == ["bad@x.org", "worse@x.org"]
    assert server.lists["cats"]["owner"] == ["amy@example.org", "ann@example.org", "bob@example.org"]


def test_enable_leaves_alone_what_somebody_has_taken_away_since(server: Server, url: str) -> None:
    server.lists["cats"]["ban_list"] = []
    Life(url, server).apply(draft(list_disable.PROCEDURE, server, url))
    server.lists["cats"]["ban_list"] = []
    Life(url, server).apply(draft(list_enable.PROCEDURE, server, url))
    assert server.lists["cats"]["ban_list"] == []


def test_enable_brings_nothing_back_that_somebody_has_taken_out_of_a_closed_list(server: Server, url: str) -> None:
    Life(url, server).apply(draft(list_disable.PROCEDURE, server, url))
    server.lists["cats"]["ban_list"] = [EVERYBODY, "worse@x.org"]
    Life(url, server).apply(draft(list_enable.PROCEDURE, server, url))
    assert server.lists["cats"]["ban_list"] == ["worse@x.org"]


def test_a_description_that_somebody_has_changed_since_is_theirs(server: Server, url: str) -> None:
    Life(url, server).apply(draft(list_disable.PROCEDURE, server, url))
    server.lists["cats"]["description"] = "[disabled] moved to dogs"
    with pytest.raises(Blocked, match=r"changed since by somebody else: description is '.disabled. moved to dogs'"):
        Life(url, server).apply(draft(list_enable.PROCEDURE, server, url))
    assert server.lists["cats"]["owner"] == []


def test_without_a_record_enable_says_what_it_would_set_and_asks_for_the_name(server: Server, url: str) -> None:
    server.of("cats", description="[disabled] about cats", open=False, owner=[], ban_list=["a@x.org", EVERYBODY])
    with pytest.raises(UsageError, match="give --owners"):
        draft(list_enable.PROCEDURE, server, url)
    proposed = draft(list_enable.PROCEDURE, server, url, owners=["Ann@Example.org"])
    assert proposed.typed == CATS
    assert "no run that disabled it" in proposed.notes[0]
    assert Life(url, server).apply(proposed).status is RunStatus.DONE
    cats = server.lists["cats"]
    assert (cats["open"], cats["ban_list"], cats["owner"]) == (True, ["a@x.org"], ["ann@example.org"])
    assert cats["description"] == "about cats"


def test_a_list_that_was_disabled_twice_is_what_it_was_before_the_first(server: Server, url: str) -> None:
    before = copy.deepcopy(server.lists)
    Life(url, server, clock=lambda: 1.0).apply(draft(list_disable.PROCEDURE, server, url))
    server.lists["cats"]["open"] = True
    Life(url, server, clock=lambda: 2.0).apply(draft(list_disable.PROCEDURE, server, url))
    Life(url, server, clock=lambda: 3.0).apply(draft(list_enable.PROCEDURE, server, url))
    assert server.lists == before
    Life(url, server, clock=lambda: 4.0).apply(draft(list_disable.PROCEDURE, server, url))
    Life(url, server, clock=lambda: 5.0).apply(draft(list_enable.PROCEDURE, server, url))
    assert server.lists == before


def test_a_list_that_was_closed_before_stays_closed_and_that_is_said(server: Server, url: str) -> None:
    server.lists["cats"] |= {"open": False, "ban_list": [EVERYBODY]}
    Life(url, server).apply(draft(list_disable.PROCEDURE, server, url))
    assert "it was closed already" in draft(list_enable.PROCEDURE, server, url).notes[1]


def test_a_record_counts_once(server: Server, url: str) -> None:
    """Disabled and enabled by runs, then closed by hand: what the old run saw says nothing of that."""
    Life(url, server).apply(draft(list_disable.PROCEDURE, server, url))
    Life(url, server).apply(draft(list_enable.PROCEDURE, server, url))
    server.lists["cats"]["open"] = False
    assert draft(list_enable.PROCEDURE, server, url).typed == CATS


def test_a_run_that_was_taken_back_is_no_record(server: Server, url: str) -> None:
    disabled = draft(list_disable.PROCEDURE, server, url)
    run = Life(url, server).apply(disabled)
    assert Life(url, server).undo(run.id, disabled).status is RunStatus.DONE
    with pytest.raises(Blocked, match="is not disabled"):
        draft(list_enable.PROCEDURE, server, url)


def test_a_list_that_is_not_disabled_is_not_enabled(server: Server, url: str) -> None:
    with pytest.raises(Blocked, match="is not disabled"):
        draft(list_enable.PROCEDURE, server, url)
    Life(url, server).apply(draft(list_disable.PROCEDURE, server, url))
    with pytest.raises(UsageError, match="the journal has who they were"):
        draft(list_enable.PROCEDURE, server, url, owners=["ann@example.org"])


# killed


def _batch() -> Any:
    from runbooks.model import Batch

    return Batch()


def _killed(url: str, server: Server, proposed: Draft, **when: int) -> Any:
    """The run of a process that is killed then, as the next one has to find it; None where it came to its end."""
    life = Life(url, server, **when)
    try:
        assert life.apply(proposed).status is RunStatus.DONE
    except PowerCut:
        return Life(url, server).journal.unfinished()[0]
    return None


POINTS = {"list-disable": (14, 9), "list-enable": (10, 7), "list-create": (6, 5), "list-reset-password": (2, 3)}
"""How many points and events a run has at which its process may be killed."""


def every(procedure: str) -> list[dict[str, int]]:
    """Each of them."""
    points, events = POINTS[procedure]
    return [*({"points": number} for number in range(points)), *({"events": number} for number in range(events))]


def proposed_for(procedure: str, server: Server, url: str) -> Draft:
    """What is killed: held mail goes with the list that is disabled, and what is enabled was disabled by a run."""
    match procedure:
        case "list-disable":
            server.held["cats"] = list(MAIL)
            return draft(list_disable.PROCEDURE, server, url, discard_held=True)
        case "list-enable":
            disabled = Life(url, server, clock=lambda: 1.0).apply(draft(list_disable.PROCEDURE, server, url))
            assert disabled.status is RunStatus.DONE
            return draft(list_enable.PROCEDURE, server, url)
        case "list-create":
            return draft(list_create.PROCEDURE, server, url, **request())
    return draft(list_reset_password.PROCEDURE, server, url, owner="ann@example.org")


@pytest.mark.parametrize("kind", ["points", "events"])
@pytest.mark.parametrize("procedure", POINTS)
def test_no_point_is_left_out(server: Server, url: str, procedure: str, kind: str) -> None:
    last = dict(zip(("points", "events"), POINTS[procedure], strict=True))[kind]
    assert _killed(url, server, proposed_for(procedure, server, url), **{kind: last}) is None


@pytest.mark.parametrize("way", ["resume", "undo"])
@pytest.mark.parametrize("when", every("list-disable"), ids=str)
def test_disable_killed_at_every_point(server: Server, url: str, when: dict[str, int], way: str) -> None:
    before, untouched = copy.deepcopy(server.lists), copy.deepcopy(server.lists["dogs"])
    proposed = proposed_for("list-disable", server, url)
    run = _killed(url, server, proposed, **when)
    assert run, "it came to its end"
    life = Life(url, server)
    if way == "resume":
        assert life.resume(run.id, proposed).status is RunStatus.DONE
        assert server.lists["cats"]["open"] is False and server.lists["cats"]["owner"] == []
        assert Life(url, server).apply(draft(list_enable.PROCEDURE, server, url)).status is RunStatus.DONE
    elif life.journal.run(run.id).befores():
        assert life.undo(run.id, proposed).status is RunStatus.DONE
    assert server.lists == before and server.lists["dogs"] == untouched


@pytest.mark.parametrize("way", ["resume", "undo"])
@pytest.mark.parametrize("when", every("list-enable"), ids=str)
def test_enable_killed_at_every_point(server: Server, url: str, when: dict[str, int], way: str) -> None:
    """A list that was not enabled after all is as closed as before: with the ban that was in its admins' way."""
    before = copy.deepcopy(server.lists)
    proposed = proposed_for("list-enable", server, url)
    closed = copy.deepcopy(server.lists)
    run = _killed(url, server, proposed, **when)
    assert run, "it came to its end"
    life = Life(url, server)
    if way == "resume":
        assert life.resume(run.id, proposed).status is RunStatus.DONE
        assert server.lists == before
    elif life.journal.run(run.id).befores():
        assert life.undo(run.id, proposed).status is RunStatus.DONE
        assert server.lists == closed


def test_a_ban_that_somebody_sets_before_a_run_is_resumed_stays(server: Server, url: str) -> None:
    proposed = draft(list_disable.PROCEDURE, server, url)
    run = _killed(url, server, proposed, events=1)
    server.lists["cats"]["ban_list"] = ["worse@x.org"]
    assert Life(url, server).resume(run.id, proposed).status is RunStatus.DONE
    assert server.lists["cats"]["ban_list"] == [EVERYBODY, "worse@x.org"]
    assert Life(url, server).apply(draft(list_enable.PROCEDURE, server, url)).status is RunStatus.DONE
    assert server.lists["cats"]["ban_list"] == ["worse@x.org"], "what was lifted meanwhile stays lifted, too"


def test_an_answer_that_is_lost_is_looked_for(server: Server, url: str) -> None:
    server.loses = True
    proposed = draft(list_disable.PROCEDURE, server, url)
    run = Life(url, server).apply(proposed)
    assert run.status is RunStatus.INCOMPLETE and results(run) == [Result.UNKNOWN]
    server.loses = False
    again = Life(url, server).resume(run.id, proposed)
    assert again.status is RunStatus.DONE


def test_what_is_refused_is_told(server: Server, url: str) -> None:
    server.refuses = True
    run = Life(url, server).apply(draft(list_disable.PROCEDURE, server, url))
    assert results(run) == [Result.FAILED]
    assert server.lists["cats"]["open"] is True


# create


def request(**other: Any) -> dict[str, Any]:
    given = {"list": f"fish@{DOMAIN}", "owners": ["Ann@Example.org", "bob@example.org"], "task": "T1"}
    return {**given, "description": "about fish", **other}


@pytest.mark.parametrize("private", [True, False])
def test_a_list_is_made_and_read_back(server: Server, url: str, private: bool) -> None:
    proposed = draft(list_create.PROCEDURE, server, url, **request(private=private))
    run = Life(url, server).apply(proposed)
    assert run.status is RunStatus.DONE
    fish = server.lists["fish"]
    assert fish["owner"] == ["ann@example.org", "bob@example.org"]
    assert (fish["advertised"], fish["description"]) == (not private, "about fish")
    assert Life(url, server).undo(run.id, proposed).status is RunStatus.DONE
    assert "fish" not in server.lists


def test_a_list_that_is_in_use_is_not_taken_away_by_an_undo(server: Server, url: str) -> None:
    proposed = draft(list_create.PROCEDURE, server, url, **request())
    run = Life(url, server).apply(proposed)
    server.posts.add("fish")
    with pytest.raises(Blocked, match="is in use"):
        Life(url, server).undo(run.id, proposed)
    assert "fish" in server.lists


@pytest.mark.parametrize("when", every("list-create"), ids=str)
def test_create_killed_at_every_point(server: Server, url: str, when: dict[str, int]) -> None:
    proposed = proposed_for("list-create", server, url)
    run = _killed(url, server, proposed, **when)
    assert run, "it came to its end"
    assert Life(url, server).resume(run.id, proposed).status is RunStatus.DONE
    assert server.lists["fish"]["owner"] == ["ann@example.org", "bob@example.org"]


def test_a_list_that_somebody_else_makes_meanwhile_is_not_ours(server: Server, url: str) -> None:
    life, proposed = Life(url, server), draft(list_create.PROCEDURE, server, url, **request())
    plan = life.engine.plan(proposed)
    server.of("fish", owner=["eve@example.org"])
    with pytest.raises((Blocked, Drift)):
        life.engine.apply(plan, proposed, _batch())
    assert server.lists["fish"]["owner"] == ["eve@example.org"]


def test_only_a_list_of_the_run_s_own_is_taken_for_made(server: Server) -> None:
    """By whoever looks again after it was killed: its owners, and never used."""
    server.of("fish", owner=["ann@example.org"])
    made = Created("fish", ("ann@example.org", "bob@example.org"), private=False)
    assert made.check(PretendedReader(server, "run1")).status is Status.DONE
    assert made.check(PretendedReader(server, "")).status is Status.BLOCKED
    server.posts.add("fish")
    assert made.check(PretendedReader(server, "run1")).status is Status.BLOCKED
    server.of("fowl", owner=["eve@example.org"])
    theirs = Created("fowl", ("ann@example.org", "bob@example.org"), private=False)
    assert theirs.check(PretendedReader(server, "run1")).status is Status.BLOCKED


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"owners": ["ann@example.org"]}, "at least 2 admins"),
        ({"owners": ["ann@example.org", "ANN@example.org"]}, "named twice"),
        ({"owners": ["ann", "bob@example.org"]}, "'ann' is no mail address"),
        ({"task": ""}, "give --task"),
        ({"task": "123"}, "'123' is no task"),
        ({"description": ""}, "give --description"),
        ({"description": "two\nlines"}, "give --description"),
        ({"description": "[disabled] x"}, "is what disabled lists begin with"),
        ({"list": f"fi.sh@{DOMAIN}"}, "does not fit the scheme"),
        ({"list": f"-fish@{DOMAIN}"}, "does not fit the scheme"),
        ({"list": f"cats-owner@{DOMAIN}"}, "is an address of another list"),
    ],
)
def test_a_request_that_lacks_something_is_refused(
    server: Server, url: str, given: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        draft(list_create.PROCEDURE, server, url, **request(**given))


def test_names_that_are_nearly_the_same_are_told(server: Server, url: str) -> None:
    assert "cats" in draft(list_create.PROCEDURE, server, url, **request(list=f"cat@{DOMAIN}")).notes[0]
    with pytest.raises(Blocked, match="there is a list"):
        draft(list_create.PROCEDURE, server, url, **request(list=CATS))


# passwords


def test_a_new_password_is_nowhere_but_with_who_has_it(server: Server, url: str, tmp_path: Path) -> None:
    proposed = draft(list_reset_password.PROCEDURE, server, url, owner="Ann@example.org")
    assert server.fresh.is_wanted and not server.fresh.is_made
    assert proposed.notes[0] == "a note on passwords"
    assert Life(url, server).apply(proposed).status is RunStatus.DONE
    assert server.fresh.taken == ["ann@example.org"]
    secret = server.passwords["ann@example.org"]
    assert len(secret) == 22 and secret == server.fresh.make().reveal()
    assert secret.encode() not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert secret not in repr(server.fresh.__dict__)


def test_a_password_of_a_process_that_died_is_set_anew(server: Server, url: str) -> None:
    proposed = draft(list_reset_password.PROCEDURE, server, url, owner="ann@example.org")
    with pytest.raises(PowerCut):
        Life(url, server, points=1).apply(proposed)
    lost = server.passwords["ann@example.org"]
    server.fresh.__init__()  # type: ignore[misc]
    life = Life(url, server)
    assert life.resume(life.unfinished().id, proposed).status is RunStatus.DONE
    assert server.passwords["ann@example.org"] == server.fresh.make().reveal() != lost


@pytest.mark.parametrize("when", every("list-reset-password"), ids=str)
def test_a_password_that_is_set_when_all_is_over_is_a_person_s(server: Server, url: str, when: dict[str, int]) -> None:
    """Wherever the process is killed: what was journalled as set is set no second time."""
    handed: list[str] = []

    def hand(_whom: str, secret: Secret) -> None:
        handed.append(secret.reveal())

    server.fresh.hand = hand
    proposed = proposed_for("list-reset-password", server, url)
    run = _killed(url, server, proposed, **when)
    assert run, "it came to its end"
    server.fresh.__init__()  # type: ignore[misc]
    server.fresh.hand = hand
    assert Life(url, server).resume(run.id, proposed).status is RunStatus.DONE
    assert server.passwords["ann@example.org"] == handed[-1]


def test_a_password_that_is_set_is_not_taken_back(server: Server, url: str) -> None:
    proposed = draft(list_reset_password.PROCEDURE, server, url, owner="ann@example.org")
    run = Life(url, server).apply(proposed)
    with pytest.raises(Blocked, match=r"nothing that could be taken back$"):
        Life(url, server).undo(run.id, proposed)


def test_a_password_that_cannot_be_handed_over_is_set_anew(server: Server, url: str) -> None:
    def full(_whom: str, _secret: Secret) -> None:
        raise UsageError("no space left: nobody has the new password now")

    server.fresh.hand = full
    proposed = draft(list_reset_password.PROCEDURE, server, url, owner="ann@example.org")
    run = Life(url, server).apply(proposed)
    assert results(run) == [Result.FAILED] and not server.fresh.is_made
    lost = server.passwords["ann@example.org"]
    server.fresh.hand = lambda _whom, _secret: None
    assert Life(url, server).resume(run.id, proposed).status is RunStatus.DONE
    assert server.passwords["ann@example.org"] == server.fresh.make().reveal() != lost


def test_whose_password_has_to_be_clear(server: Server, url: str) -> None:
    with pytest.raises(UsageError, match=r"has 2 owners: give --owner, one of ann@example.org, bob@"):
        draft(list_reset_password.PROCEDURE, server, url)
    with pytest.raises(UsageError, match=r"eve@example.org is no owner"):
        draft(list_reset_password.PROCEDURE, server, url, owner="eve@example.org")
    server.lists["cats"]["owner"] = []
    with pytest.raises(Blocked, match="has no owner"):
        draft(list_reset_password.PROCEDURE, server, url)


def test_the_web_log_in_gets_it_too(server: Server, url: str) -> None:
    server.web = "mailman-web (on lists1)"
    run = Life(url, server).apply(draft(list_reset_password.PROCEDURE, server, url, owner="ann@example.org"))
    assert run.status is RunStatus.DONE
    assert server.web_passwords == server.passwords


def test_who_has_no_web_log_in_gets_no_password(server: Server, url: str) -> None:
    server.web, server.has_web_accounts = "mailman-web (on lists1)", False
    with pytest.raises(Blocked, match=r"no web account has the address ann@example.org"):
        Life(url, server).apply(draft(list_reset_password.PROCEDURE, server, url, owner="ann@example.org"))
    assert server.writes == [] and not server.fresh.taken


def test_a_password_that_is_refused_is_nobody_s(server: Server, url: str) -> None:
    server.refuses = True
    proposed = draft(list_reset_password.PROCEDURE, server, url, owner="ann@example.org")
    assert results(Life(url, server).apply(proposed)) == [Result.FAILED]
    assert server.fresh.taken == [] and server.passwords == {}


def test_a_password_whose_answer_is_lost_is_handed_over(server: Server, url: str) -> None:
    server.loses = True
    proposed = draft(list_reset_password.PROCEDURE, server, url, owner="ann@example.org")
    assert results(Life(url, server).apply(proposed)) == [Result.UNKNOWN]
    assert server.fresh.taken == ["ann@example.org"]


def test_nobody_to_hand_it_to_no_password(server: Server, url: str) -> None:
    server.fresh.nowhere = "there is no terminal"
    run = Life(url, server).apply(draft(list_reset_password.PROCEDURE, server, url, owner="ann@example.org"))
    assert run.status is RunStatus.INCOMPLETE and server.passwords == {}


# which list


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cats@list.example.org", r"none of our lists: list.example.org .*did you mean lists.example.org"),
        ("cats@example.com", "is no list domain"),
        ("-cats", "is no list's name"),
        ("", "is no list's name"),
        ("ca ts", "is no list's name"),
        ("cats@", "is no list's name"),
    ],
)
def test_what_is_no_list_of_ours(server: Server, text: str, message: str) -> None:
    if text == "cats@":
        assert meant(site_of(server), text) == CATS
        return
    with pytest.raises(UsageError, match=message):
        meant(site_of(server), text)


def test_a_list_is_meant_by_name_or_address_and_has_to_be_there(server: Server, url: str) -> None:
    for text in ("Cats", f"CATS@{DOMAIN}", f"cats.{DOMAIN}"):
        assert meant(site_of(server), text) == CATS
    assert meant(site_of(server), "_a.b") == f"_a.b@{DOMAIN}"
    with pytest.raises(UsageError, match=r"has no list cat \(did you mean cats\?\)"):
        draft(list_disable.PROCEDURE, server, url, list=f"cat@{DOMAIN}")
    with pytest.raises(UsageError, match=r"has no list c \(did you mean cats\?\)"):
        draft(list_disable.PROCEDURE, server, url, list=f"c@{DOMAIN}")
