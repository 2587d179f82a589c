"""The `inv` surface: names, arguments, printing, exit status; nothing else. `inv --help NAME` explains each."""

from __future__ import annotations

import inspect
from typing import Any

from invoke import Collection, Context, task

COMMON: dict[str, tuple[Any, str]] = {
    "dry_run": (False, "Look at everything, live, and show what would be done; nothing can be changed."),
    "batch_size": ("", "Hosts at a time, 10 or 20%."),
    "batch_sleep": ("0", "Seconds before each further host, 5 or 0.5."),
    "max_failures": ("0", "Hosts that may fail before no new one is started, 2 or 5%."),
    "yes": (False, "Answer the question with yes; never stands for a name that has to be typed."),
    "confirm": ("", "The name that would have to be typed."),
    "save": ("", "Write the plan to a file, for `inv apply`."),
    "json": (False, "One JSON document on standard output, and nothing else there."),
    "debug": (False, "Show the traceback of an error."),
}
PLANNED = tuple(COMMON)
ON_SYSTEMS = ("dry_run", "yes", "confirm", "save", "json", "debug")
ASKED = ("yes", "confirm", "json", "debug")
SHOWN = ("json", "debug")


def runbook(*options: str, help: dict[str, str] | None = None, **kwargs: Any) -> Any:
    """A task with some of the common options behind its own arguments."""

    def decorate(body: Any) -> Any:
        def run(context: Context, *args: Any, **given: Any) -> None:
            chosen = {name: given.pop(name) for name in options if name in given}
            body(_surface(context, chosen), *args, **given)

        own = list(inspect.signature(body).parameters.values())
        kind = inspect.Parameter.KEYWORD_ONLY
        common = [inspect.Parameter(name, kind, default=COMMON[name][0]) for name in options]
        texts = {name.replace("_", "-"): COMMON[name][1] for name in options}
        return _task(run, body, inspect.Signature([*own, *common]), help=(help or {}) | texts, **kwargs)

    return decorate


def _task(run: Any, body: Any, signature: inspect.Signature, **kwargs: Any) -> Any:
    """Invoke's task: ``run``, under the name and docstring of ``body``, with the arguments of ``signature``."""
    run.__name__, run.__doc__, run.__signature__ = body.__name__, body.__doc__, signature
    made = task(run, auto_shortflags=False, **kwargs)
    # At each start Invoke copies, deeply, what hangs on its tasks; it reads the signature off the function.
    del made.__signature__
    return made


def _surface(context: Context, chosen: dict[str, Any]) -> Any:
    from runbooks.cli import Commands, Options

    if "json" in chosen:
        chosen["as_json"] = chosen.pop("json")
    return Commands(context, Options(**chosen))


@runbook(
    *PLANNED,
    iterable=["without"],
    help={
        "old": "The account as it is called now.",
        "new": "What it is to be called.",
        "task": "The ticket, T123: goes into the registry, the commit and puppet's reason.",
        "reason": "More to say in puppet's reason.",
        "without": "Leave this host out, and see to it yourself before it rejoins; once for each host.",
        "end-processes": "End the processes of the account.",
    },
)
def rename_user(surface, old, new, task="", reason="", without=None, end_processes=False):  # type: ignore[no-untyped-def]
    """Accounts: rename a shell user everywhere, keeping UID and home."""
    arguments = {"old": old, "new": new, "task": task, "reason": reason}
    surface.procedure("rename-user", arguments | {"without": list(without or []), "end_processes": end_processes})


NAME = {"name": "The account."}
TICKET = {"task": "The ticket, T123: goes into the commit."}
PERSON = {
    "realname": "The person's name.",
    "email": "An address that reaches the person; staff: the organisation's.",
    "expires": "The day on which access ends, 2027-01-31; with --contact.",
    "contact": "Who on the staff is asked about it then.",
}
REQUEST = {
    "groups": "Groups of the registry, by commas.",
    "moved": "The day on which the task was moved into the access-requests project, 2026-01-31.",
    "analytics": "List the groups for data, and what each needs; nothing else is done.",
}
KEY = {"key": "A file with the one public key, as ssh-keygen makes it (.pub)."}


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


@runbook(
    *PLANNED, positional=["name"], help=NAME | TICKET | PERSON | {"group": "The staff's or the others', wmf or nda."}
)
def grant_ldap(surface, name, group="", realname="", email="", expires="", contact="", task=""):  # type: ignore[no-untyped-def]
    """Accounts: put somebody into an LDAP group, in the registry first."""
    person = {"realname": realname, "email": email, "expires": expires, "contact": contact}
    surface.procedure("grant-ldap", {"name": name, "group": group, **person, "task": task})


@runbook(*PLANNED, positional=["name"], help=NAME | {"group": "Any group of the directory."})
def revoke_ldap(surface, name, group=""):  # type: ignore[no-untyped-def]
    """Accounts: take somebody out of an LDAP group."""
    surface.procedure("revoke-ldap", {"name": name, "group": group})


def _shell_account(procedure: str, doc: str) -> Any:
    """The task of a procedure that gives somebody a shell account."""

    def body(  # type: ignore[no-untyped-def]
        surface,
        name,
        key="",
        groups="",
        realname="",
        email="",
        expires="",
        contact="",
        moved="",
        task="",
        analytics=False,
    ):
        if analytics:
            surface.data_groups(name)
        person = {"realname": realname, "email": email, "expires": expires, "contact": contact}
        request = {"groups": _words(groups), "moved": moved, "task": task}
        surface.procedure(procedure, {"name": name, "key": key, **person, **request})

    body.__name__, body.__doc__ = procedure.replace("-", "_"), doc
    return runbook(*PLANNED, positional=["name"], help=NAME | TICKET | PERSON | REQUEST | KEY)(body)


create_user = _shell_account("create-user", "Accounts: give somebody a shell account, with the UID that LDAP has.")
promote_user = _shell_account("promote-user", "Accounts: give somebody with LDAP access a shell account.")


@runbook(*PLANNED, positional=["name"], help=NAME | TICKET | KEY)
def add_key(surface, name, key="", task=""):  # type: ignore[no-untyped-def]
    """Accounts: give a shell user one key more."""
    surface.procedure("add-key", {"name": name, "key": key, "task": task})


@runbook(
    *PLANNED, positional=["name"], help=NAME | TICKET | KEY | {"old": "The key that goes, SHA256:...; else all go."}
)
def replace_key(surface, name, key="", old="", task=""):  # type: ignore[no-untyped-def]
    """Accounts: give a shell user a key in place of another, or of all."""
    surface.procedure("replace-key", {"name": name, "key": key, "old": old, "task": task})


@runbook(
    *PLANNED,
    positional=["name"],
    help=NAME
    | TICKET
    | {
        "key": "The one key that is lost, SHA256:... or its text.",
        "all": "All of them, which is what happens without --key.",
        "end-sessions": "End all that runs under the account.",
    },
)
def revoke_key(surface, name, key="", all=False, end_sessions=False, task=""):  # type: ignore[no-untyped-def]
    """Accounts: take a lost ssh key out of use on every host, at once."""
    arguments = {"name": name, "key": key, "all_keys": all, "end_sessions": end_sessions, "task": task}
    surface.procedure("revoke-key", arguments)


@runbook(
    *PLANNED,
    positional=["name"],
    iterable=["without"],
    help=NAME
    | TICKET
    | {
        "without": "Leave this host out of archiving the home, and see to it yourself; once for each host.",
        "drop-all": "Leave every LDAP group, not only those that give access to something.",
        "end-sessions": "End all that runs under the account.",
    },
)
def remove_account(surface, name, drop_all=False, end_sessions=False, without=None, task=""):  # type: ignore[no-untyped-def]
    """Accounts: take all of somebody's access; the home stays."""
    arguments = {"name": name, "drop_all": drop_all, "end_sessions": end_sessions, "task": task}
    surface.procedure("remove-account", arguments | {"without": list(without or [])})


@runbook(*PLANNED, positional=["name"], help=NAME | TICKET | REQUEST)
def join_group(surface, name, groups="", moved="", task="", analytics=False):  # type: ignore[no-untyped-def]
    """Accounts: put a shell user into groups, once that is approved."""
    if analytics:
        surface.data_groups(name)
    surface.procedure("join-group", {"name": name, "groups": _words(groups), "moved": moved, "task": task})


@runbook(*PLANNED, positional=["name"], help=NAME | TICKET | {"groups": "Groups of the registry, by commas."})
def leave_group(surface, name, groups="", task=""):  # type: ignore[no-untyped-def]
    """Accounts: take a shell user out of groups."""
    surface.procedure("leave-group", {"name": name, "groups": _words(groups), "task": task})


@runbook(
    *PLANNED,
    positional=["name"],
    help=NAME | TICKET | {"until": "The day on which access ends, 2027-01-31.", "contact": PERSON["contact"]},
)
def extend_access(surface, name, until="", contact="", task=""):  # type: ignore[no-untyped-def]
    """Accounts: have somebody's access end on a later day."""
    surface.procedure("extend-access", {"name": name, "until_day": until, "contact": contact, "task": task})


@runbook(*SHOWN)
def data_groups(surface):  # type: ignore[no-untyped-def]
    """Accounts: list the groups for data, and what each needs."""
    surface.data_groups()


@runbook(*SHOWN, positional=["name"], help=NAME)
def ldap_groups(surface, name):  # type: ignore[no-untyped-def]
    """Accounts: list somebody's LDAP groups."""
    surface.ldap_groups(name)


@runbook(
    *SHOWN,
    help={
        "within": "Days within which an access that ends is told.",
        "html": "Write one self-contained page to this file.",
    },
)
def check_access(surface, within="7", html=""):  # type: ignore[no-untyped-def]
    """Accounts: report who has access and should not; exit status 8 where somebody does."""
    surface.check_access(within, html)


@runbook(*PLANNED, positional=["plan"], help={"plan": "Its id, or the beginning of it, or a file that --save wrote."})
def apply(surface, plan):  # type: ignore[no-untyped-def]
    """Runs: apply a plan that was made before, if the world is still as it was."""
    surface.apply(plan)


@runbook(
    *ASKED,
    help={
        "run": "Which one; not needed while only one is unfinished.",
        "confirmed": "What the run waits for is so, and this is where it can be read: T123#456, a link. Your name, the "
        "time and this are recorded.",
    },
    optional=["confirmed"],
)
def resume(surface, run="", confirmed=None):  # type: ignore[no-untyped-def]
    """Runs: go on with an unfinished run."""
    surface.resume(run, confirmed)


@runbook(
    *PLANNED,
    positional=["run"],
    help={"run": "Its id, or the beginning of it.", "end-processes": "End the processes of an account that goes."},
)
def undo(surface, run, end_processes=False):  # type: ignore[no-untyped-def]
    """Runs: take back what a run has done, in reverse order."""
    surface.undo(run, {"end_processes": True} if end_processes else {})


@runbook(*ASKED, positional=["run"], help={"run": "Its id, or the beginning of it."})
def abandon(surface, run):  # type: ignore[no-untyped-def]
    """Runs: give an unfinished run up; what it did stays."""
    surface.abandon(run)


@runbook(*SHOWN, help={"check": "One line and a status for a monitoring system: 0 nothing unfinished, 1 something is."})
def runs(surface, check=False):  # type: ignore[no-untyped-def]
    """Runs: list the newest."""
    surface.runs(check)


@runbook(
    *SHOWN,
    positional=["run"],
    help={
        "run": "Its id, or the beginning of it.",
        "html": "Write one self-contained page to this file.",
        "outputs": "Show what commands printed, too.",
    },
)
def show(surface, run, html="", outputs=False):  # type: ignore[no-untyped-def]
    """Runs: show one, step by step."""
    surface.show(run, html, outputs)


def lab_task(**kwargs: Any) -> Any:
    """A task of the lab: its errors are one line, too."""

    def decorate(body: Any) -> Any:
        def run(_context: Context, *args: Any, **given: Any) -> None:
            from invoke.exceptions import Exit

            from runbooks.errors import RunbookError
            from runbooks.lab import commands

            try:
                getattr(commands, body.__name__)(*args, **given)
            except RunbookError as error:
                raise Exit(f"inv: {error}", error.exit_status) from error

        return _task(run, body, inspect.signature(body), **kwargs)

    return decorate


HOSTS = {"hosts": "A host, or a query for several."}
MACHINES = {
    "driver": "Through this one: redfish, ipmi, ipmitool, racadm, ilo, cimc, ilom or smash.",
    "insecure": "Believe whoever answers as the BMC; goes into the record.",
}
WORK = {
    "task": "The ticket, T123: goes into the record.",
    "reason": "Why; goes into the record.",
    "puppet": "Run puppet once the system is back.",
    "silence": "Silence its alerts meanwhile, where there is an Alertmanager; --no-silence: leave them on.",
}


@runbook(
    *PLANNED,
    positional=["hosts"],
    help=HOSTS
    | MACHINES
    | WORK
    | {
        "graceful": "Ask the system to end by itself first, and give it some minutes.",
        "off": "Turn the power off, and leave it so.",
        "on": "Turn the power on.",
        "reset": "Press the reset button; the power stays on.",
        "status": "Only say what the BMC says of the power.",
    },
)
def powercycle(  # type: ignore[no-untyped-def]
    surface,
    hosts,
    driver="",
    graceful=False,
    off=False,
    on=False,
    reset=False,
    status=False,
    puppet=False,
    silence=True,
    insecure=False,
    task="",
    reason="",
):
    """Machines: power a machine off and on through its BMC, and wait until its system is back."""
    chosen = [name for name, given in (("off", off), ("on", on), ("reset", reset), ("status", status)) if given]
    action = " and ".join(chosen) or "cycle"
    if action == "status":
        surface.power_status(hosts, driver, insecure)
    how = {"action": action, "driver": driver, "graceful": graceful, "insecure": insecure}
    around = {"puppet": puppet, "no_silence": not silence, "task": task, "reason": reason}
    surface.procedure("powercycle", {"hosts": hosts} | how | around)


@runbook(*PLANNED, positional=["hosts"], help=HOSTS | WORK)
def reboot(surface, hosts, puppet=False, silence=True, task="", reason=""):  # type: ignore[no-untyped-def]
    """Machines: reboot hosts through their own systems, one at a time, each until it is back."""
    around = {"puppet": puppet, "no_silence": not silence, "task": task, "reason": reason}
    surface.procedure("reboot", {"hosts": hosts} | around)


@runbook(*SHOWN, positional=["hosts"], help=HOSTS | MACHINES)
def power_status(surface, hosts, driver="", insecure=False):  # type: ignore[no-untyped-def]
    """Machines: what their BMCs say of the power."""
    surface.power_status(hosts, driver, insecure)


@runbook(*SHOWN, positional=["hosts"], help=HOSTS)
def hardware(surface, hosts):  # type: ignore[no-untyped-def]
    """Machines: show what is recorded of hosts' hardware; exit status 8 where sources contradict each other."""
    surface.hardware(hosts)


@runbook(*SHOWN, positional=["host"], help=MACHINES | {"host": "A host.", "limit": "How many entries."})
def sel(surface, host, limit="50", driver="", insecure=False):  # type: ignore[no-untyped-def]
    """Machines: a machine's system event log, the newest entry first."""
    surface.event_log(host, limit, driver, insecure)


LIST = {"name": "The list: its name, or its address where there are several list domains."}
RECORD = {"task": WORK["task"]}
PASSWORD_FILE = {
    "password-file": "Put the new password into this new file, which you alone can read; else it is shown."
}


@runbook(
    *ON_SYSTEMS,
    positional=["name"],
    help=LIST
    | RECORD
    | PASSWORD_FILE
    | {
        "owners": "Its admins' addresses, two at least, by commas.",
        "description": "What it is for, in one line.",
        "private": "A private archive, not advertised, and who joins is approved.",
    },
)
def list_create(surface, name, owners="", description="", private=False, task="", password_file=""):  # type: ignore[no-untyped-def]
    """Mail: make a mailing list."""
    about = {"owners": _words(owners), "description": description, "private": private}
    surface.procedure("list-create", about | {"name": name, "task": task, "password_file": password_file})


@runbook(
    *ON_SYSTEMS,
    positional=["name"],
    aliases=("mailman_disable",),
    help=LIST | RECORD | {"discard-held": "Throw away the mail that waits for a moderator; look at it first."},
)
def list_disable(surface, name, discard_held=False, task=""):  # type: ignore[no-untyped-def]
    """Mail: close a mailing list; its members and archive stay."""
    surface.procedure("list-disable", {"name": name, "discard_held": discard_held, "task": task})


@runbook(
    *ON_SYSTEMS,
    positional=["name"],
    help=LIST | RECORD | {"owners": "Who runs it from now on, by commas; only where no run that disabled it is known."},
)
def list_enable(surface, name, owners="", task=""):  # type: ignore[no-untyped-def]
    """Mail: give a disabled mailing list back, as it was before."""
    surface.procedure("list-enable", {"name": name, "owners": _words(owners), "task": task})


@runbook(
    *ON_SYSTEMS,
    positional=["name"],
    help=LIST | RECORD | PASSWORD_FILE | {"owner": "Whose password; not needed while there is one owner."},
)
def list_reset_password(surface, name, owner="", task="", password_file=""):  # type: ignore[no-untyped-def]
    """Mail: give whoever runs a mailing list a new password."""
    surface.procedure(
        "list-reset-password", {"name": name, "owner": owner, "task": task, "password_file": password_file}
    )


@runbook(*SHOWN, positional=["name"], help=LIST | {"all": "Show every setting."})
def list_info(surface, name, all=False):  # type: ignore[no-untyped-def]
    """Mail: show a mailing list, and what is held for it."""
    surface.list_info(name, all)


@runbook(*SHOWN, positional=["name"], help=LIST)
def list_owners(surface, name):  # type: ignore[no-untyped-def]
    """Mail: list who runs a mailing list."""
    surface.list_owners(name)


ALIAS = {"alias": "Its address, noc@example.org."}
AROUND = {
    "task": "The ticket, T123: goes into a comment beside the line, and into the commit.",
    "without": "Leave this mail host out, and see to it yourself; once for each host.",
}


@runbook(
    *PLANNED,
    positional=["alias"],
    iterable=["without"],
    help=ALIAS
    | AROUND
    | {"to": "Where its mail goes: addresses, by commas.", "more": "An alias that is there leads to these, too."},
)
def alias_add(surface, alias, to="", more=False, task="", without=None):  # type: ignore[no-untyped-def]
    """Mail: make a mail alias for a role or a group."""
    arguments = {"alias": alias, "to": _words(to), "more": more, "task": task}
    surface.procedure("alias-add", arguments | {"without": list(without or [])})


@runbook(
    *PLANNED,
    positional=["alias"],
    iterable=["without"],
    help=ALIAS | AROUND | {"to": "Only these addresses go, by commas; without, the alias does."},
)
def alias_remove(surface, alias, to="", task="", without=None):  # type: ignore[no-untyped-def]
    """Mail: take a mail alias away, or some addresses out of it."""
    arguments = {"alias": alias, "to": _words(to), "task": task, "without": list(without or [])}
    surface.procedure("alias-remove", arguments)


@runbook(*SHOWN, positional=["alias"], help={"alias": "Its address, or a domain for all of its aliases."})
def alias_show(surface, alias):  # type: ignore[no-untyped-def]
    """Mail: show an alias or a domain's: its line, its comments, the domains that share it, who has changed it."""
    surface.alias_show(alias)


@runbook(*SHOWN, help={"domain": "Only the file of this one."})
def alias_lint(surface, domain=""):  # type: ignore[no-untyped-def]
    """Mail: find what exim lets pass in alias files; exit status 8 where there is something."""
    surface.alias_lint(domain)


@runbook(*SHOWN, positional=["addresses"], help={"addresses": "A mail address, or several by commas."})
def mail_route(surface, addresses):  # type: ignore[no-untyped-def]
    """Mail: show where mail for an address goes, as each mail host says; exit status 8 where it does not get there."""
    surface.mail_route(_words(addresses))


HOST = {"host": "Its name, lab01; the directory is ldap, the list server lists, lab01's BMC lab01.mgmt."}


@lab_task(
    help={
        "hosts": "How many: 8 for a new lab, else as many as there are; more than there are: they are added.",
        "network": "netns (hosts can be cut off), loopback, or auto.",
        "home-files": "How many files alice's home has.",
        "puppet-every-s": "Seconds between puppet runs on each host.",
        "bmcs": "Give each host a BMC, for its power.",
        "mail": "A list server (Mailman, 700 MB of memory), and mail hosts.",
    }
)
def up(_c, hosts="", network="auto", home_files=2000, puppet_every_s=60, bmcs=True, mail=False):  # type: ignore[no-untyped-def]
    """Start a fleet of real hosts on this machine; what follows uses it by itself."""


@lab_task()
def down(_c):  # type: ignore[no-untyped-def]
    """End the lab and remove it."""


@lab_task()
def status(_c):  # type: ignore[no-untyped-def]
    """One line a host."""


@lab_task(help=HOST)
def kill(_c, host):  # type: ignore[no-untyped-def]
    """Pull a host's plug; its disk stays."""


@lab_task(help=HOST)
def start(_c, host):  # type: ignore[no-untyped-def]
    """Boot a dead host."""


@lab_task(help=HOST)
def freeze(_c, host):  # type: ignore[no-untyped-def]
    """Stop every process of a host."""


@lab_task(help=HOST)
def thaw(_c, host):  # type: ignore[no-untyped-def]
    """Let a frozen host go on."""


@lab_task(help=HOST)
def cut(_c, host):  # type: ignore[no-untyped-def]
    """Pull a host's network cable."""


@lab_task(help=HOST)
def uncut(_c, host):  # type: ignore[no-untyped-def]
    """Put it back."""


@lab_task(help=HOST)
def shell(_c, host):  # type: ignore[no-untyped-def]
    """A root shell on a host."""


ns = Collection(
    rename_user,
    grant_ldap,
    revoke_ldap,
    create_user,
    promote_user,
    add_key,
    replace_key,
    revoke_key,
    remove_account,
    data_groups,
    ldap_groups,
    check_access,
    join_group,
    leave_group,
    extend_access,
    powercycle,
    reboot,
    power_status,
    sel,
    hardware,
    list_create,
    list_disable,
    list_enable,
    list_reset_password,
    list_info,
    list_owners,
    alias_add,
    alias_remove,
    alias_show,
    alias_lint,
    mail_route,
    apply,
    resume,
    undo,
    abandon,
    runs,
    show,
)
ns.add_collection(Collection("lab", up, down, status, kill, start, freeze, thaw, cut, uncut, shell))
