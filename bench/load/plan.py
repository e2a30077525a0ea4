"""What a load asks for, drawn from a seed: new, duplicate, conflicting, refused, malformed requests, cancels, poison.

Pure. The same tenants, seed and number give the same operations, so a failing seed can be run again.
"""

import random
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from bench.checker import identity
from bench.load.tenants import POSTS, Tenant

Via = Literal["http", "kafka"]

_RECENT: Final = 40
"""How far back a duplicate, a conflict or a cancel reaches: near enough to meet its original half-way."""


@dataclass(frozen=True, slots=True)
class Clone:
    """A clone request. `fields` are a body's, ids in any form that the contract takes; `job` is what they name."""

    org: str
    container: str
    fields: Mapping[str, Any]
    job: str
    via: Via
    kind: str
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """A cancel of a job, which may run, have ended, have been refused or not be known yet."""

    org: str
    container: str
    job: str
    via: Via


@dataclass(frozen=True, slots=True)
class Poison:
    """A record that no stage can address to anybody; `topic` is without the prefix."""

    topic: str
    key: bytes
    value: bytes | None


Operation = Clone | Cancel | Poison

WEIGHTS: Final[Mapping[str, float]] = {
    "new": 56,
    "duplicate": 13,
    "rekeyed": 3,
    "conflicting": 7,
    "cancel": 8,
    "unknown_project": 3,
    "unknown_post": 2,
    "no_credits": 3,
    "malformed": 2,
    "key_reused": 3,
    "poison": 3,
}
"""How often each kind comes, out of their sum."""

SCRIPTS: Final = ("delay=150ms", "delay=400ms", "fail=1", "fail=1,2,3", "retry=1 attempts=1", "delay=80ms fail=2")
"""What the generator `scripted` is told in half of the captions."""


def plan(
    tenants: Sequence[Tenant],
    *,
    seed: int,
    operations: int,
    weights: Mapping[str, float] = WEIGHTS,
    scripts: Sequence[str] = SCRIPTS,
) -> list[Operation]:
    """Draw that many operations. `scripts` are lines for the generator `scripted`: slow jobs and failing ones."""
    return list(planned(tenants, seed=seed, operations=operations, weights=weights, scripts=scripts))


def planned(
    tenants: Sequence[Tenant],
    *,
    seed: int,
    operations: int,
    weights: Mapping[str, float] = WEIGHTS,
    scripts: Sequence[str] = SCRIPTS,
) -> Iterator[Operation]:
    """The same operations as `plan`, each drawn when it is asked for: a long plan is never in memory."""
    return _Planner(tenants, seed, scripts).draw(operations, weights)


class _Planner:
    def __init__(self, tenants: Sequence[Tenant], seed: int, scripts: Sequence[str]) -> None:
        self._source = random.Random(f"plan/{seed}")  # noqa: S311 -- repeatable on purpose
        self._rich = [tenant for tenant in tenants if not tenant.poor]
        self._poor = [tenant for tenant in tenants if tenant.poor] or self._rich
        self._scripts = scripts
        self._made: deque[Clone] = deque(maxlen=_RECENT)
        self._keyed: list[tuple[str, str]] = []
        """Organisation and key of each request that had one, oldest first."""
        self._kinds: dict[str, Callable[[], Operation]] = {
            "new": self._new,
            "duplicate": self._duplicate,
            "rekeyed": self._rekeyed,
            "conflicting": self._conflicting,
            "cancel": self._cancel,
            "unknown_project": lambda: self._refused("unknown_project", projectId=self._id()),
            "unknown_post": lambda: self._refused("unknown_post", sourcePlatformPostId="no such post"),
            "no_credits": self._no_credits,
            "malformed": self._malformed,
            "key_reused": self._key_reused,
            "poison": self._poison,
        }

    def draw(self, operations: int, weights: Mapping[str, float]) -> Iterator[Operation]:
        names, shares = list(weights), list(weights.values())
        for name in self._source.choices(names, shares, k=operations):
            # The first of a plan has nothing to repeat, to contradict or to cancel.
            needs_others = name in ("duplicate", "rekeyed", "conflicting", "cancel", "key_reused")
            yield self._kinds["new" if needs_others and not self._made else name]()

    def _new(self) -> Clone:
        tenant = self._source.choice(self._rich)
        key = f"key-{self._id()}" if self._source.random() < 0.3 else None
        made = self._clone(tenant, "new", self._fields(tenant), key=key)
        self._made.append(made)
        if key is not None:
            self._keyed.append((tenant.org, key))
        return made

    def _duplicate(self) -> Clone:
        """The same request in other words, over the same way or the other."""
        earlier = self._recent()
        fields = dict(earlier.fields)
        fields.setdefault("mode", "fork")
        fields["projectId"] = identity.shown("proj", identity.bare("proj", fields["projectId"]))
        return replace(earlier, fields=fields, via=self._via(), kind="duplicate")

    def _rekeyed(self) -> Clone:
        """The same request under another key: one that nobody has used, or one that names another request."""
        earlier = self._recent()
        taken = [key for org, key in self._keyed[-_RECENT:] if org == earlier.org]
        key = self._source.choice(taken) if taken and self._source.random() < 0.5 else f"key-{self._id()}"
        return replace(earlier, via=self._via(), kind="rekeyed", idempotency_key=key)

    def _conflicting(self) -> Clone:
        earlier = self._recent()
        fields = {**earlier.fields, "variations": earlier.fields["variations"] % 4 + 1}
        return self._same_container(earlier, "conflicting", fields)

    def _key_reused(self) -> Clone:
        """The key of an earlier request for a different container; mostly of a recent one."""
        if not self._keyed:
            return self._new()
        org, key = self._source.choice(self._keyed[-_RECENT:] if self._source.random() < 0.7 else self._keyed)
        tenant = next(tenant for tenant in self._rich if tenant.org == org)
        return self._clone(tenant, "key_reused", self._fields(tenant), key=key)

    def _cancel(self) -> Cancel:
        earlier = self._recent()
        return Cancel(earlier.org, earlier.container, earlier.job, self._via())

    def _refused(self, kind: str, **changes: Any) -> Clone:
        tenant = self._source.choice(self._rich)
        return self._clone(tenant, kind, self._fields(tenant) | changes)

    def _no_credits(self) -> Clone:
        tenant = self._source.choice(self._poor)
        return self._clone(tenant, "no_credits", self._fields(tenant))

    def _malformed(self) -> Clone:
        """Well-formed Avro that breaks a rule of shape: refused over both ways, and a dead letter over none."""
        tenant = self._source.choice(self._rich)
        return self._clone(tenant, "malformed", self._fields(tenant) | {"variations": 11})

    def _poison(self) -> Poison:
        topic = self._source.choice(("clone.requests", "clone.requests", "clone.admissions", "clone.variation-results"))
        value = self._source.choice((b"", b"\xff" * 40, b"\xc3\x01short", self._source.randbytes(30), None))
        return Poison(topic, self._id().encode(), value)

    def _fields(self, tenant: Tenant) -> dict[str, Any]:
        source = self._source
        post = source.choice((*POSTS, *tenant.posts))
        fields: dict[str, Any] = {
            "projectId": source.choice(tenant.projects),
            "sourcePlatformPostId": post,
            "variations": source.choice((1, 1, 2, 3)),
        }
        if source.random() < 0.3:
            fields["mode"] = "reimagine"
        if self._scripts and source.random() < 0.5:
            fields["overrides"] = {"caption": self._script()}
        return fields

    def _script(self) -> str:
        return f"@@generator {self._source.choice(self._scripts)}"

    def _clone(self, tenant: Tenant, kind: str, fields: dict[str, Any], *, key: str | None = None) -> Clone:
        container = self._id()
        job = identity.job_id(tenant.org, container, fields)
        return Clone(tenant.org, container, fields, job, self._via(), kind, key)

    def _same_container(self, earlier: Clone, kind: str, fields: dict[str, Any]) -> Clone:
        job = identity.job_id(earlier.org, earlier.container, fields)
        return Clone(earlier.org, earlier.container, fields, job, self._via(), kind)

    def _recent(self) -> Clone:
        return self._source.choice(self._made)

    def _via(self) -> Via:
        return "http" if self._source.random() < 0.5 else "kafka"

    def _id(self) -> str:
        return str(uuid.UUID(int=self._source.getrandbits(128), version=4))
