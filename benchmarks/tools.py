"""The tools that are measured: how each is called as its user calls it, and how to read what hosts answered from it."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.fleet import Fleet, Host
from benchmarks.runbook.marks import answer, command

HERE = Path(__file__).parent
WIDTH = 50
"""Hosts at a time, for every tool."""
Answers = Mapping[str, Sequence[str]]
"""By address: what was printed by each command that ended well, in order."""


@dataclass(frozen=True)
class Job:
    """One run of one tool: its hosts, how many commands, and an empty folder for what it needs and prints."""

    fleet: Fleet
    hosts: tuple[Host, ...]
    steps: int
    folder: Path
    venvs: Path

    @property
    def addresses(self) -> list[str]:
        """Of all hosts."""
        return [host.address for host in self.hosts]

    @property
    def commands(self) -> list[str]:
        """For sh, in order."""
        return [command(number) for number in range(1, self.steps + 1)]

    @property
    def stdout(self) -> Path:
        """What the tool prints."""
        return self.folder / "stdout"

    @property
    def stderr(self) -> Path:
        """What it complains of."""
        return self.folder / "stderr"

    def write(self, name: str, content: object) -> str:
        """Put a file into the folder, text or JSON (which is YAML, too); its path."""
        path = self.folder / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    def program(self, package: str, name: str = "python") -> str:
        """A program of a peer's virtual environment."""
        return str(self.venvs / package / "bin" / name)

    def right(self, answers: Answers) -> int:
        """How many hosts gave the right answer to every command, and show it."""
        wanted = {host: [answer(host.name, number) for number in range(1, self.steps + 1)] for host in self.hosts}
        return sum(
            [text.rstrip("\n") for text in answers.get(host.address, ())] == wanted[host]
            and self.fleet.mark(host) == self.steps
            for host in self.hosts
        )


@dataclass(frozen=True)
class Tool:
    """One row of the table. ``package`` is the name on PyPI of what has to be installed for it in an environment of its
    own, and is empty for what comes with this project. ``most`` are the numbers of hosts, for one command and for six,
    beyond which it takes minutes; ``quick`` rows are in the quick form."""

    name: str
    argv: Callable[[Job], list[str]]
    answers: Callable[[Job], Answers]
    package: str = ""
    most: tuple[int, int] = (1000, 1000)
    quick: bool = False
    environment: Callable[[Job], dict[str, str]] = field(default=lambda _job: {})
    note: str = ""


# ours


def _settings(job: Job) -> str:
    """Settings as a user has them: the defaults, fifty hosts at a time, and one connection a host even beyond 500."""
    inventory = job.folder / "inventory"
    inventory.mkdir()
    rows = [f"  {host.name}: {{address: {host.address}, port: {job.fleet.port}}}\n" for host in job.hosts]
    (inventory / "hosts.yaml").write_text("".join(["hosts:\n", *rows]))
    chosen = {
        "inventory": str(inventory),
        "journal": f"sqlite:///{job.folder}/journal.db",
        "ssh": {"config": str(job.fleet.ssh_config()), "max_connections": max(500, len(job.hosts))},
        "batch_size": str(WIDTH),
    }
    return job.write("settings.yaml", {"ops_clinic": chosen})


def _inv(job: Job) -> list[str]:
    inv = [sys.executable, "-m", "invoke", "-r", str(HERE / "runbook"), "-f", _settings(job)]
    return [*inv, "mark", "--steps", str(job.steps), "--confirm", "mark"]


def _engine(job: Job) -> list[str]:
    return [sys.executable, str(HERE / "runbook/engine_alone.py"), _settings(job), str(job.steps)]


def _journalled(job: Job) -> Answers:
    """What the journal says: a step is done there once its host gave the right answer, and showed it when looked at
    again."""
    from runbooks.journal import Journal
    from runbooks.model import Result

    if not (job.folder / "journal.db").exists():
        return {}
    journal = Journal(f"sqlite:///{job.folder}/journal.db")
    addresses = {host.name: host.address for host in job.hosts}
    found: dict[str, list[str]] = {}
    for run in journal.runs():
        for (step, host), outcome in sorted(run.outcomes().items()):
            if outcome.result is Result.DONE:
                found.setdefault(addresses[host], []).append(answer(host, step + 1))
    journal.close()
    return found


# libraries, each by a script of its own


def _script(package: str, name: str, *words: str) -> Callable[[Job], list[str]]:
    def argv(job: Job) -> list[str]:
        fleet = job.fleet
        content = {
            "hosts": job.addresses,
            "port": fleet.port,
            "user": "root",
            "key": str(fleet.key),
            "known_hosts": str(fleet.known_hosts),
            "ssh_config": str(fleet.ssh_config()),
            "commands": job.commands,
            "width": WIDTH,
        }
        return [job.program(package), str(HERE / "peers" / f"{name}.py"), job.write("job.json", content), *words]

    return argv


def _given(job: Job) -> Answers:
    """What a script of ours handed back; nothing where it was ended before that."""
    text = job.stdout.read_text(errors="replace")
    return dict(json.loads(text)) if text else {}


# commands


def _lines(pattern: str, *, of: str = "stdout") -> Callable[[Job], Answers]:
    """Answers by a pattern with the groups ``host`` and ``text``, from what was printed."""
    compiled = re.compile(pattern, re.MULTILINE)

    def read(job: Job) -> Answers:
        found: dict[str, list[str]] = {}
        for match in compiled.finditer((job.folder / of).read_text(errors="replace").replace("\r\n", "\n")):
            found.setdefault(match["host"], []).append(match["text"])
        return found

    return read


def _ansible(curve: bool) -> Tool:
    def argv(job: Job) -> list[str]:
        inventory = job.write("hosts.ini", "".join(f"{address}\n" for address in job.addresses))
        forks = ["-i", inventory, "-f", str(WIDTH)]
        if job.steps == 1:
            return [job.program("ansible-core", "ansible"), "all", *forks, "-m", "raw", "-a", *job.commands]
        tasks = [{"name": f"command {n}", "raw": text} for n, text in enumerate(job.commands, 1)]
        play = job.write("playbook.yaml", [{"hosts": "all", "gather_facts": False, "tasks": tasks}])
        return [job.program("ansible-core", "ansible-playbook"), *forks, play]

    def environment(job: Job) -> dict[str, str]:
        # Beside its defaults only where things are, and a way of printing what a command printed.
        return {
            "ANSIBLE_SSH_COMMON_ARGS": f"-F {job.fleet.ssh_config(curve)}",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(job.fleet.top / "control"),
            "ANSIBLE_HOME": str(job.folder / "ansible"),
            "ANSIBLE_STDOUT_CALLBACK": "minimal",
            "ANSIBLE_NOCOLOR": "1",
        }

    answers = _lines(r"^(?P<host>\S+) \| CHANGED \| rc=0 >>\n(?P<text>.*)$")
    return Tool(_named("ansible", curve), argv, answers, "ansible-core", (100, 100), environment=environment)


def _cumin(curve: bool) -> Tool:
    def argv(job: Job) -> list[str]:
        settings = {
            "transport": "clustershell",
            "default_backend": "direct",
            "log_file": str(job.folder / "cumin.log"),
            "clustershell": {"ssh_options": [f"-F {job.fleet.ssh_config(curve)}"]},
        }
        options = ["-c", job.write("cumin.yaml", settings), "--force", "-n", "--no-progress", "-b", str(WIDTH)]
        return [_ours("cumin"), *options, "-m", "sync", ",".join(job.addresses), *job.commands]

    answers = _lines(r"^\(1\) (?P<host>\S+)\n----- OUTPUT .* -----\n(?P<text>.*)$")
    return Tool(_named("cumin", curve), argv, answers, "", (1000, 300) if curve else (300, 100), quick=True)


def _clush(curve: bool) -> Tool:
    def argv(job: Job) -> list[str]:
        words = ["-S", "-f", str(WIDTH), "-o", f"-F {job.fleet.ssh_config(curve)}", "-w", ",".join(job.addresses)]
        # It runs one command at a time, so they are written one below the other.
        calls = [shlex.join([_ours("clush"), *words, text]) for text in job.commands]
        return ["sh", "-e", job.write("all.sh", "\n".join([*calls, ""]))]

    answers = _lines(r"^(?P<host>\S+): (?P<text>.*)$")
    return Tool(_named("clush", curve), argv, answers, "", (1000, 300) if curve else (300, 100))


def _ssh(curve: bool) -> Tool:
    def argv(job: Job) -> list[str]:
        control = job.fleet.top / "control"
        control.mkdir(exist_ok=True)
        shared = ["-o", "ControlMaster=auto", "-o", "ControlPersist=60", "-o", f"ControlPath={control}/%h"]
        ssh = shlex.join(["ssh", "-F", str(job.fleet.ssh_config(curve)), *shared])
        texts = enumerate(map(shlex.quote, job.commands), 1)
        calls = [f'{ssh} "$1" {text} >{shlex.quote(str(job.folder))}/$1.{n}' for n, text in texts]
        script = job.write("all.sh", "\n".join([*calls, ""]))
        listed = job.write("hosts", "".join(f"{address}\n" for address in job.addresses))
        return ["xargs", "-a", listed, "-P", str(WIDTH), "-n", "1", "sh", "-e", script]

    def answers(job: Job) -> Answers:
        paths = {a: [job.folder / f"{a}.{n}" for n in range(1, job.steps + 1)] for a in job.addresses}
        return {a: [path.read_text() for path in some if path.exists()] for a, some in paths.items()}

    return Tool(_named("ssh with ControlPersist", curve), argv, answers, "", (1000, 1000) if curve else (300, 300))


def _pyinfra(job: Job) -> list[str]:
    common = {
        "ssh_user": "root",
        "ssh_port": job.fleet.port,
        "ssh_key": str(job.fleet.key),
        "ssh_known_hosts_file": str(job.fleet.known_hosts),
        "ssh_strict_host_key_checking": "yes",
    }
    inventory = job.write("inventory.py", f"fleet = {job.addresses!r}, {common!r}\n")
    argv = [job.program("pyinfra", "pyinfra"), "-y", "-vvv", "--parallel", str(WIDTH), inventory]
    if job.steps == 1:
        return [*argv, "exec", "--", *job.commands]
    operations = [f"server.shell(name='command {n}', commands=[{text!r}])" for n, text in enumerate(job.commands, 1)]
    deploy = job.write("deploy.py", "\n".join(["from pyinfra.operations import server", *operations, ""]))
    return [*argv, deploy]


def _ours(program: str) -> str:
    """A program that is installed with this project."""
    return str(Path(sys.executable).parent / program)


def _named(name: str, curve: bool) -> str:
    return f"{name} curve25519" if curve else name


ENGINE = "ops-clinic engine"
_NO_HOST_KEYS = "checks no host keys: it has no way to"
TOOLS = (
    Tool("ops-clinic", _inv, _journalled, quick=True),
    Tool(ENGINE, _engine, _journalled, quick=True),
    Tool("asyncssh", _script("asyncssh", "with_asyncssh"), _given, "asyncssh", quick=True),
    _cumin(False),
    _cumin(True),
    _clush(False),
    _clush(True),
    _ssh(False),
    _ssh(True),
    Tool("paramiko", _script("fabric", "with_paramiko"), _given, "fabric"),
    Tool("fabric ThreadingGroup", _script("fabric", "with_fabric", "group"), _given, "fabric"),
    Tool("fabric Connections", _script("fabric", "with_fabric", "threads"), _given, "fabric"),
    Tool("parallel-ssh", _script("parallel-ssh", "with_parallel_ssh"), _given, "parallel-ssh", note=_NO_HOST_KEYS),
    Tool("pyinfra", _pyinfra, _lines(r"^\[(?P<host>[0-9.]+)\] +(?P<text>\w+ [0-9]+)$", of="stderr"), "pyinfra"),
    _ansible(False),
    _ansible(True),
)
