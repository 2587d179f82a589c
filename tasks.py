"""The `inv` surface: names, arguments, their help; nothing else. `inv --help NAME` explains each.

A task is a signature. The type of an argument says how it is written, and what `inv --help` tells of it:
``Annotated[str, "What it is."]``. ``@procedure``: the procedure of the same name (runbooks/procedures/) is planned and
applied, with these arguments, or with those that the function returns. ``@command``: the method of the same name
(runbooks/cli/commands.py and what it inherits) is called with them. The options that many have stand in ``COMMON``.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any

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
ns, lab = Collection(), Collection("lab")


def by_commas(text: str) -> tuple[str, ...]:
    """The words of an argument that is given once."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def each(values: list[str] | None) -> list[str]:
    """The values of an argument that may be given several times."""
    return list(values or [])


Words = Annotated[Any, by_commas]
Each = Annotated[Any, each]


def procedure(*options: str, instead: dict[str, str] | None = None, **kwargs: Any) -> Callable[[Any], Any]:
    """A task for the procedure of its name, with some of the common options. ``instead``: flags, each with the command
    that it stands for; that one gets the first argument."""

    def decorate(body: Any) -> Any:
        def run(context: Context, chosen: dict[str, Any], given: dict[str, Any]) -> None:
            surface = _surface(context, chosen)
            for flag, report in (instead or {}).items():
                if given.pop(flag):
                    getattr(surface, report)(next(iter(given.values())))
            surface.procedure(body.__name__.replace("_", "-"), body(**given) or given)

        return _task(ns, body, run, options, **kwargs)

    return decorate


def command(*options: str, **kwargs: Any) -> Callable[[Any], Any]:
    """A task for the command of its name, with some of the common options."""

    def decorate(body: Any) -> Any:
        def run(context: Context, chosen: dict[str, Any], given: dict[str, Any]) -> None:
            getattr(_surface(context, chosen), body.__name__)(**given)

        return _task(ns, body, run, options, **kwargs)

    return decorate


def lab_task(body: Any) -> Any:
    """A task for the lab's own command of its name (runbooks/lab/commands.py); its errors are one line, too."""

    def run(_context: Context, _chosen: dict[str, Any], given: dict[str, Any]) -> None:
        from invoke.exceptions import Exit

        from runbooks.errors import RunbookError
        from runbooks.lab import commands

        try:
            getattr(commands, body.__name__)(**given)
        except RunbookError as error:
            raise Exit(f"inv: {error}", error.exit_status) from error

    return _task(lab, body, run)


def _surface(context: Context, chosen: dict[str, Any]) -> Any:
    from runbooks.cli import Commands, Options

    if "json" in chosen:
        chosen["as_json"] = chosen.pop("json")
    return Commands(context, Options(**chosen))


def _task(collection: Collection, body: Any, run: Any, options: Sequence[str] = (), **kwargs: Any) -> Any:
    """Invoke's task, under the name and docstring of ``body``, with its arguments and the common ``options``. ``run``
    gets Invoke's context, the options chosen, and the arguments given."""
    own = inspect.signature(body).parameters
    about = {name: one.annotation.__metadata__ for name, one in own.items()}
    readers = {name: reader for name, (*some, _) in about.items() for reader in some}

    def called(context: Context, **given: Any) -> None:
        chosen = {name: given.pop(name) for name in options}
        run(context, chosen, given | {name: reader(given[name]) for name, reader in readers.items()})

    parameters = [inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD), *own.values()]
    parameters += [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=COMMON[name][0]) for name in options]
    called.__name__, called.__doc__ = body.__name__, body.__doc__
    called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    texts = {name: text for name, (*_, text) in about.items()} | {name: COMMON[name][1] for name in options}
    made = task(
        called,
        auto_shortflags=False,
        help={name.replace("_", "-"): text for name, text in texts.items()},
        iterable=[name for name, reader in readers.items() if reader is each],
        **kwargs,
    )
    # At each start Invoke copies, deeply, what hangs on its tasks; it reads the signature off the function.
    del made.__signature__
    collection.add_task(made)
    return made


# accounts

Name = Annotated[str, "The account."]
Ticket = Annotated[str, "The ticket, T123: goes into the commit."]
Email = Annotated[str, "An address that reaches the person; staff: the organisation's."]
RealName = Annotated[str, "The person's name."]
Expires = Annotated[str, "The day on which access ends, 2027-01-31; with --contact."]
Contact = Annotated[str, "Who on the staff is asked about it then."]
Groups = Annotated[Words, "Groups of the registry, by commas."]
Moved = Annotated[str, "The day on which the task was moved into the access-requests project, 2026-01-31."]
Analytics = Annotated[bool, "List the groups for data, and what each needs; nothing else is done."]
KeyFile = Annotated[str, "A file with the one public key, as ssh-keygen makes it (.pub)."]
EndSessions = Annotated[bool, "End all that runs under the account."]
Page = Annotated[str, "Write one self-contained page to this file."]


@procedure(*PLANNED)
def rename_user(
    old: Annotated[str, "The account as it is called now."],
    new: Annotated[str, "What it is to be called."],
    task: Annotated[str, "The ticket, T123: goes into the registry, the commit and puppet's reason."] = "",
    reason: Annotated[str, "More to say in puppet's reason."] = "",
    without: Annotated[
        Each, "Leave this host out, and see to it yourself before it rejoins; once for each host."
    ] = None,
    end_processes: Annotated[bool, "End the processes of the account."] = False,
) -> None:
    """Accounts: rename a shell user everywhere, keeping UID and home."""


@procedure(*PLANNED)
def grant_ldap(
    name: Name,
    group: Annotated[str, "The staff's or the others', wmf or nda."] = "",
    realname: RealName = "",
    email: Email = "",
    expires: Expires = "",
    contact: Contact = "",
    task: Ticket = "",
) -> None:
    """Accounts: put somebody into an LDAP group, in the registry first."""


@procedure(*PLANNED)
def revoke_ldap(name: Name, group: Annotated[str, "Any group of the directory."] = "") -> None:
    """Accounts: take somebody out of an LDAP group."""


def _shell_account(name: str, doc: str) -> Any:
    """The task of a procedure that gives somebody a shell account."""

    def body(
        name: Name, key: KeyFile = "", realname: RealName = "", email: Email = "", expires: Expires = "",
        contact: Contact = "", groups: Groups = "", moved: Moved = "", task: Ticket = "", analytics: Analytics = False,
    ) -> None: ...  # fmt: skip

    body.__name__, body.__doc__ = name, doc
    return procedure(*PLANNED, instead={"analytics": "data_groups"})(body)


create_user = _shell_account("create_user", "Accounts: give somebody a shell account, with the UID that LDAP has.")
promote_user = _shell_account("promote_user", "Accounts: give somebody with LDAP access a shell account.")


@procedure(*PLANNED)
def add_key(name: Name, key: KeyFile = "", task: Ticket = "") -> None:
    """Accounts: give a shell user one key more."""


@procedure(*PLANNED)
def replace_key(
    name: Name,
    key: KeyFile = "",
    old: Annotated[str, "The key that goes, SHA256:...; else all go."] = "",
    task: Ticket = "",
) -> None:
    """Accounts: give a shell user a key in place of another, or of all."""


@procedure(*PLANNED)
def revoke_key(
    name: Name,
    key: Annotated[str, "The one key that is lost, SHA256:... or its text."] = "",
    all: Annotated[bool, "All of them, which is what happens without --key."] = False,
    end_sessions: EndSessions = False,
    task: Ticket = "",
) -> dict[str, Any]:
    """Accounts: take a lost ssh key out of use on every host, at once."""
    return {"name": name, "key": key, "all_keys": all, "end_sessions": end_sessions, "task": task}


@procedure(*PLANNED)
def remove_account(
    name: Name,
    drop_all: Annotated[bool, "Leave every LDAP group, not only those that give access to something."] = False,
    end_sessions: EndSessions = False,
    task: Ticket = "",
    without: Annotated[
        Each, "Leave this host out of archiving the home, and see to it yourself; once for each host."
    ] = None,
) -> None:
    """Accounts: take all of somebody's access; the home stays."""


@procedure(*PLANNED, instead={"analytics": "data_groups"})
def join_group(
    name: Name, groups: Groups = "", moved: Moved = "", task: Ticket = "", analytics: Analytics = False
) -> None:
    """Accounts: put a shell user into groups, once that is approved."""


@procedure(*PLANNED)
def leave_group(name: Name, groups: Groups = "", task: Ticket = "") -> None:
    """Accounts: take a shell user out of groups."""


@procedure(*PLANNED)
def extend_access(
    name: Name,
    until: Annotated[str, "The day on which access ends, 2027-01-31."] = "",
    contact: Contact = "",
    task: Ticket = "",
) -> dict[str, Any]:
    """Accounts: have somebody's access end on a later day."""
    return {"name": name, "until_day": until, "contact": contact, "task": task}


@command(*SHOWN)
def data_groups() -> None:
    """Accounts: list the groups for data, and what each needs."""


@command(*SHOWN)
def ldap_groups(name: Name) -> None:
    """Accounts: list somebody's LDAP groups."""


@command(*SHOWN)
def check_access(
    within: Annotated[str, "Days within which an access that ends is told."] = "7", html: Page = ""
) -> None:
    """Accounts: report who has access and should not; exit status 8 where somebody does."""


# machines

Hosts = Annotated[str, "A host, or a query for several."]
Driver = Annotated[str, "Through this one: redfish, ipmi, ipmitool, racadm, ilo, cimc, ilom or smash."]
Insecure = Annotated[bool, "Believe whoever answers as the BMC; goes into the record."]
Recorded = Annotated[str, "The ticket, T123: goes into the record."]
Reason = Annotated[str, "Why; goes into the record."]
PuppetRun = Annotated[bool, "Run puppet once the system is back."]
Silence = Annotated[bool, "Silence its alerts meanwhile, where there is an Alertmanager; --no-silence: leave them on."]


@command(*PLANNED)
def powercycle(
    hosts: Hosts,
    driver: Driver = "",
    graceful: Annotated[bool, "Ask the system to end by itself first, and give it some minutes."] = False,
    off: Annotated[bool, "Turn the power off, and leave it so."] = False,
    on: Annotated[bool, "Turn the power on."] = False,
    reset: Annotated[bool, "Press the reset button; the power stays on."] = False,
    status: Annotated[bool, "Only say what the BMC says of the power."] = False,
    puppet: PuppetRun = False,
    silence: Silence = True,
    insecure: Insecure = False,
    task: Recorded = "",
    reason: Reason = "",
) -> None:
    """Machines: power a machine off and on through its BMC, and wait until its system is back."""


@procedure(*PLANNED)
def reboot(
    hosts: Hosts, puppet: PuppetRun = False, silence: Silence = True, task: Recorded = "", reason: Reason = ""
) -> dict[str, Any]:
    """Machines: reboot hosts through their own systems, one at a time, each until it is back."""
    return {"hosts": hosts, "puppet": puppet, "no_silence": not silence, "task": task, "reason": reason}


@command(*SHOWN)
def power_status(hosts: Hosts, driver: Driver = "", insecure: Insecure = False) -> None:
    """Machines: what their BMCs say of the power."""


@command(*SHOWN)
def hardware(hosts: Hosts) -> None:
    """Machines: show what is recorded of hosts' hardware; exit status 8 where sources contradict each other."""


@command(*SHOWN)
def sel(
    host: Annotated[str, "A host."],
    limit: Annotated[str, "How many entries."] = "50",
    driver: Driver = "",
    insecure: Insecure = False,
) -> None:
    """Machines: a machine's system event log, the newest entry first."""


# mail

List = Annotated[str, "The list: its name, or its address where there are several list domains."]
PasswordFile = Annotated[str, "Put the new password into this new file, which you alone can read; else it is shown."]
Alias = Annotated[str, "Its address, noc@example.org."]
Beside = Annotated[str, "The ticket, T123: goes into a comment beside the line, and into the commit."]
WithoutMailHost = Annotated[Each, "Leave this mail host out, and see to it yourself; once for each host."]


@procedure(*ON_SYSTEMS)
def list_create(
    name: List,
    owners: Annotated[Words, "Its admins' addresses, two at least, by commas."] = "",
    description: Annotated[str, "What it is for, in one line."] = "",
    private: Annotated[bool, "A private archive, not advertised, and who joins is approved."] = False,
    task: Recorded = "",
    password_file: PasswordFile = "",
) -> None:
    """Mail: make a mailing list."""


@procedure(*ON_SYSTEMS, aliases=("mailman_disable",))
def list_disable(
    name: List,
    discard_held: Annotated[bool, "Throw away the mail that waits for a moderator; look at it first."] = False,
    task: Recorded = "",
) -> None:
    """Mail: close a mailing list; its members and archive stay."""


@procedure(*ON_SYSTEMS)
def list_enable(
    name: List,
    owners: Annotated[Words, "Who runs it from now on, by commas; only where no run that disabled it is known."] = "",
    task: Recorded = "",
) -> None:
    """Mail: give a disabled mailing list back, as it was before."""


@procedure(*ON_SYSTEMS)
def list_reset_password(
    name: List,
    owner: Annotated[str, "Whose password; not needed while there is one owner."] = "",
    task: Recorded = "",
    password_file: PasswordFile = "",
) -> None:
    """Mail: give whoever runs a mailing list a new password."""


@command(*SHOWN)
def list_info(name: List, all: Annotated[bool, "Show every setting."] = False) -> None:
    """Mail: show a mailing list, and what is held for it."""


@command(*SHOWN)
def list_owners(name: List) -> None:
    """Mail: list who runs a mailing list."""


@procedure(*PLANNED)
def alias_add(
    alias: Alias,
    to: Annotated[Words, "Where its mail goes: addresses, by commas."] = "",
    more: Annotated[bool, "An alias that is there leads to these, too."] = False,
    task: Beside = "",
    without: WithoutMailHost = None,
) -> None:
    """Mail: make a mail alias for a role or a group."""


@procedure(*PLANNED)
def alias_remove(
    alias: Alias,
    to: Annotated[Words, "Only these addresses go, by commas; without, the alias does."] = "",
    task: Beside = "",
    without: WithoutMailHost = None,
) -> None:
    """Mail: take a mail alias away, or some addresses out of it."""


@command(*SHOWN)
def alias_show(alias: Annotated[str, "Its address, or a domain for all of its aliases."]) -> None:
    """Mail: show an alias or a domain's: its line, its comments, the domains that share it, who has changed it."""


@command(*SHOWN)
def alias_lint(domain: Annotated[str, "Only the file of this one."] = "") -> None:
    """Mail: find what exim lets pass in alias files; exit status 8 where there is something."""


@command(*SHOWN)
def mail_route(addresses: Annotated[Words, "A mail address, or several by commas."]) -> None:
    """Mail: show where mail for an address goes, as each mail host says; exit status 8 where it does not get there."""


# runs

Run = Annotated[str, "Its id, or the beginning of it."]


@command(*PLANNED)
def apply(plan: Annotated[str, "Its id, or the beginning of it, or a file that --save wrote."]) -> None:
    """Runs: apply a plan that was made before, if the world is still as it was."""


@command(*ASKED, optional=["confirmed"])
def resume(
    run: Annotated[str, "Which one; not needed while only one is unfinished."] = "",
    confirmed: Annotated[
        str | None,
        "What the run waits for is so, and this is where it can be read: T123#456, a link. Your name, the "
        "time and this are recorded.",
    ] = None,
) -> None:
    """Runs: go on with an unfinished run."""


@command(*PLANNED)
def undo(run: Run, end_processes: Annotated[bool, "End the processes of an account that goes."] = False) -> None:
    """Runs: take back what a run has done, in reverse order."""


@command(*ASKED)
def abandon(run: Run) -> None:
    """Runs: give an unfinished run up; what it did stays."""


@command(*SHOWN)
def runs(
    check: Annotated[
        bool, "One line and a status for a monitoring system: 0 nothing unfinished, 1 something is."
    ] = False,
) -> None:
    """Runs: list the newest."""


@command(*SHOWN)
def show(run: Run, html: Page = "", outputs: Annotated[bool, "Show what commands printed, too."] = False) -> None:
    """Runs: show one, step by step."""


# the lab

LabHost = Annotated[str, "Its name, lab01; the directory is ldap, the list server lists, lab01's BMC lab01.mgmt."]


@lab_task
def up(
    hosts: Annotated[
        str, "How many: 8 for a new lab, else as many as there are; more than there are: they are added."
    ] = "",
    network: Annotated[str, "netns (hosts can be cut off), loopback, or auto."] = "auto",
    home_files: Annotated[int, "How many files alice's home has."] = 2000,
    puppet_every_s: Annotated[int, "Seconds between puppet runs on each host."] = 60,
    bmcs: Annotated[bool, "Give each host a BMC, for its power."] = True,
    mail: Annotated[bool, "A list server (Mailman, 700 MB of memory), and mail hosts."] = False,
) -> None:
    """Start a fleet of real hosts on this machine; what follows uses it by itself."""


@lab_task
def down() -> None:
    """End the lab and remove it."""


@lab_task
def status() -> None:
    """One line a host."""


@lab_task
def kill(host: LabHost) -> None:
    """Pull a host's plug; its disk stays."""


@lab_task
def start(host: LabHost) -> None:
    """Boot a dead host."""


@lab_task
def freeze(host: LabHost) -> None:
    """Stop every process of a host."""


@lab_task
def thaw(host: LabHost) -> None:
    """Let a frozen host go on."""


@lab_task
def cut(host: LabHost) -> None:
    """Pull a host's network cable."""


@lab_task
def uncut(host: LabHost) -> None:
    """Put it back."""


@lab_task
def shell(host: LabHost) -> None:
    """A root shell on a host."""


ns.add_collection(lab)
