"""A plan: what was found on every target, frozen, and what tells one plan from another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from runbooks import __version__
from runbooks.model.change import Finding, Json, Status


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A step as the plan holds it: what was found on each target. ``kind`` is ``hosts``, ``system`` or ``manual``;
    ``post`` is what the ticket should say as long as it is not done."""

    name: str
    kind: str
    hosts: tuple[str, ...]
    findings: Mapping[str, Finding]
    must_all: bool = False
    no_inverse: str = ""
    patient: bool = False
    post: str = ""
    through: str = ""

    def stands_in_the_way(self, finding: Finding) -> bool:
        """Whether nothing may be applied while that is so."""
        return finding.status is Status.BLOCKED or (finding.status is Status.UNREACHABLE and not self.patient)

    def to_json(self) -> dict[str, Json]:
        """The contract's form."""
        return {
            "name": self.name,
            "kind": self.kind,
            "hosts": list(self.hosts),
            "findings": {
                target: {"status": str(f.status), "note": f.note, "preview": list(f.preview), "facts": dict(f.facts)}
                for target, f in self.findings.items()
            },
        }


@dataclass(frozen=True)
class Plan:
    """A procedure, its arguments, and what was found, frozen.

    ``case`` is what the procedure saw when it looked, and all that its steps are made from. ``notes`` are lines for the
    operator: warnings, hosts left out and what to do with them.
    """

    procedure: str
    arguments: Mapping[str, Json]
    steps: tuple[PlannedStep, ...]
    case: Mapping[str, Json] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @cached_property
    def id(self) -> str:
        """SHA-256 over version, procedure, arguments, steps, statuses and facts; never previews or notes. Of a patient
        step only the hosts count: whom it can reach differs from one look to the next."""
        return hashlib.sha256(canonical(self._identity()).encode()).hexdigest()

    def _identity(self) -> Json:
        steps = [
            [s.name, s.kind, list(s.hosts), {t: _comparable(f) for t, f in s.findings.items() if not s.patient}]
            for s in self.steps
        ]
        return [__version__, self.procedure, dict(self.arguments), steps]

    def to_json(self) -> dict[str, Json]:
        """The contract's form."""
        return {
            "id": self.id,
            "procedure": self.procedure,
            "arguments": dict(self.arguments),
            "steps": [step.to_json() for step in self.steps],
        }

    def to_record(self) -> dict[str, Json]:
        """What the journal or ``--save`` keeps: the contract's form, the case and the notes."""
        extra = [
            {
                "must_all": s.must_all,
                "no_inverse": s.no_inverse,
                "patient": s.patient,
                "post": s.post,
                "through": s.through,
            }
            for s in self.steps
        ]
        return self.to_json() | {"case": dict(self.case), "notes": list(self.notes), "details": extra}

    @classmethod
    def from_record(cls, record: Mapping[str, Json]) -> Plan:
        """The plan that ``to_record`` gave. Raises KeyError, TypeError or ValueError on anything else."""
        steps = tuple(
            PlannedStep(
                s["name"],
                s["kind"],
                tuple(s["hosts"]),
                {
                    t: Finding(Status(f["status"]), f["note"], tuple(f["preview"]), f["facts"])
                    for t, f in dict(s["findings"]).items()
                },
                bool(d["must_all"]),
                d["no_inverse"],
                bool(d.get("patient")),
                d.get("post", ""),
                d.get("through", ""),
            )
            for s, d in zip(record["steps"], record["details"], strict=True)
        )
        return cls(record["procedure"], record["arguments"], steps, record["case"], tuple(record["notes"]))

    def count(self, status: Status) -> int:
        """How many findings have this status."""
        return sum(f.status == status for step in self.steps for f in step.findings.values())


def _comparable(finding: Finding) -> Json:
    """``later`` is compared only as ``later``: what it rests on is not there yet."""
    return [str(finding.status), {} if finding.status is Status.LATER else dict(finding.facts)]


def same(one: Finding, other: Finding) -> bool:
    """Whether two findings are the same as far as the plan's id goes."""
    if one.status is not other.status or one.status is Status.LATER:
        return one.status is other.status
    # Written alike they are the same; written otherwise (a tuple, not a list) they still may be.
    return repr(one.facts) == repr(other.facts) or canonical(dict(one.facts)) == canonical(dict(other.facts))


def differences(old: Plan, new: Plan) -> list[str]:
    """What changed between two plans of the same procedure, one line each: step, target, then and now."""
    lines = []
    if [(s.name, s.hosts) for s in old.steps] != [(s.name, s.hosts) for s in new.steps]:
        lines.append(_other_steps(old, new))
    left = list(new.steps)
    for step in old.steps:
        other = next((s for s in left if s.name == step.name), None)
        if other is None:
            continue
        left.remove(other)
        for target, was in step.findings.items():
            now = other.findings.get(target)
            if now and not step.patient and not same(was, now):
                lines.append(f"{step.name}: {target}: {_difference(was, now)}")
    return lines


def _other_steps(old: Plan, new: Plan) -> str:
    before = {h for s in old.steps for h in s.hosts}
    after = {h for s in new.steps for h in s.hosts}
    if gone := sorted(before - after):
        return f"no longer part of it: {', '.join(gone)}"
    if come := sorted(after - before):
        return f"newly part of it: {', '.join(come)}"
    return "the steps are no longer the same"


def _difference(was: Finding, now: Finding) -> str:
    if was.status != now.status:
        return f"was {was.status}, is {now.status}" + (f" ({now.note})" if now.note else "")
    keys = [k for k in sorted({*was.facts, *now.facts}) if canonical(was.facts.get(k)) != canonical(now.facts.get(k))]
    return "; ".join(f"{k} was {was.facts.get(k)!r}, is {now.facts.get(k)!r}" for k in keys)


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


def canonical(value: Json) -> str:
    """Canonical JSON: sorted keys, no spaces, ASCII. Raises TypeError for what is no JSON (a set has no order)."""
    return _CANONICAL.encode(value)
