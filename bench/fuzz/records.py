"""Hostile records, drawn from a seed: mutations that know the encoding, and bytes that know nothing.

Pure. The same seed gives the same records, so what is found once can be found again.
"""

import json
import random
import string
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

from bench.checker import avro
from bench.checker.system import ADMISSIONS, REQUESTS, VARIATION_RESULTS
from bench.load.tenants import POSTS, Tenant

TOPICS: Final[Mapping[str, tuple[str, ...]]] = {
    REQUESTS: ("CloneRequested", "CloneCancelRequested"),
    ADMISSIONS: ("CloneAccepted", "CloneCanceled", "CloneRejected", "CancelRejected"),
    VARIATION_RESULTS: ("VariationsFinished",),
}
"""The topics that stages read, and what belongs there."""

_MARK: Final = b"\xc3\x01"
_BODY: Final = 10
_LARGEST_BYTES: Final = 1_000_000
_SCHEMAS: Final[Mapping[str, Any]] = {
    file.name.removesuffix(".avsc"): json.loads(file.read_text("utf-8"))
    for file in sorted((files("schemas") / "avro").iterdir(), key=lambda file: file.name)
    if file.name.endswith(".avsc")
}
_TEXTS: Final = (
    *("", " ", "\x00", "a\x00b", "\n\r\t", "\ufeff", "\u202eabc", "\U0001f680" * 40, "e\u0301" * 300, "İıẞ", "null"),
    *("'; DROP TABLE claims; --", "${jndi:ldap://x}", "../../etc/passwd", "<script>", "%s%n", "{}", "-1", "1e309"),
    *("org_", "org_x", "proj_" + "0" * 32, "0" * 36, str(uuid.UUID(int=0)), "A" * 129, "A" * 2_201, "A" * 5_001),
    *("A" * 60_000, "\uffff", "\U0010ffff", "\u2028", "@@generator crash=1", "@@generator hang=1"),
)
_NUMBERS: Final = (0, 1, -1, 11, 2**31 - 1, -(2**31), 2**31, 2**53, 253_402_300_800_000, 2**63 - 1, -(2**63))
_TYPES: Final = (b"clonepost.events.CloneRequested", b"clonepost.events.JobCompleted", b"", b"\xff", None)

Headers = list[tuple[str, str | bytes | None]]


@dataclass(frozen=True, slots=True)
class Hostile:
    """One record for a topic (without prefix). `how` says what was done to it."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    how: str


def hostile_records(seed: int, tenants: Sequence[Tenant]) -> Iterator[Hostile]:
    """Records without end; some are of the tenants' own things, and nothing is wrong with them."""
    draw = _Drawer(random.Random(f"records/{seed}"), tenants)  # noqa: S311 -- repeatable on purpose
    while True:
        yield draw.record()


class _Drawer:
    def __init__(self, source: random.Random, tenants: Sequence[Tenant]) -> None:
        self._source = source
        self._tenants = tenants
        self._kinds: Sequence[tuple[str, Callable[[str, bytes], bytes | None]]] = (
            ("valid", lambda _topic, value: value),
            ("hostile fields", lambda topic, _value: self._avro(self._source.choice(TOPICS[topic]), hostile=0.4)),
            ("one hostile field", lambda topic, _value: self._avro(self._source.choice(TOPICS[topic]), hostile=0.08)),
            ("noise", lambda _topic, _value: self._noise(200)),
            ("noise behind a good header", lambda _topic, value: value[:_BODY] + self._noise(200)),
            ("cut", lambda _topic, value: value[: self._source.randrange(len(value) + 1)]),
            ("bytes changed", lambda _topic, value: self._flipped(value)),
            ("bytes moved", lambda _topic, value: self._spliced(value)),
            ("more behind its end", lambda _topic, value: value + self._noise(40)),
            ("length bomb", lambda _topic, value: self._with_varint(value)),
            ("nesting bomb", lambda _topic, value: self._nested(value)),
            ("wrong fingerprint", lambda _topic, value: self._fingerprinted(value)),
            ("wrong framing", lambda _topic, value: self._framed(value)),
            ("another topic's record", lambda _topic, _value: self._avro(self._source.choice(list(_SCHEMAS)))),
            ("tombstone", lambda _topic, _value: None),
            ("huge", lambda _topic, value: value + self._source.randbytes(1) * self._source.randrange(_LARGEST_BYTES)),
        )
        # Huge ones are slow to make and to send: few are enough.
        self._weights = [2.0, 3.0, 3.0, *[1.0] * (len(self._kinds) - 4), 0.005]

    def record(self) -> Hostile:
        topic = self._source.choice(list(TOPICS))
        name = self._source.choice(TOPICS[topic])
        fields = self._fields(name, 0.0)
        good = avro.encode(name, fields)
        ((how, change),) = self._source.choices(self._kinds, self._weights)
        value = change(topic, good)
        key: bytes | None = str(fields.get("containerId", uuid.UUID(int=1))).encode()
        headers: Headers = [("ce_type", f"clonepost.events.{name}".encode())] if how == "valid" else []
        if value is not None and how in ("hostile fields", "one hostile field"):
            key = self._key_of(value) or key
        if self._source.random() < 0.08:
            key, how = self._wrong_key(key or b""), f"{how}, wrong key"
        if self._source.random() < 0.15:
            headers, how = self._headers(headers), f"{how}, odd headers"
        return Hostile(topic, key, value, headers, how)

    def _avro(self, name: str, hostile: float = 0.0) -> bytes:
        return avro.encode(name, self._fields(name, hostile))

    def _fields(self, name: str, hostile: float) -> dict[str, Any]:
        tenant = self._source.choice(self._tenants)
        return {field["name"]: self._field(field, tenant, hostile) for field in _SCHEMAS[name]["fields"]}

    def _field(self, field: Mapping[str, Any], tenant: Tenant, hostile: float) -> Any:
        if self._source.random() >= hostile:
            return self._good(field, tenant)
        return self._bad(field["type"])

    def _good(self, field: Mapping[str, Any], tenant: Tenant) -> Any:
        source, name = self._source, field["name"]
        known: dict[str, Callable[[], Any]] = {
            "orgId": lambda: tenant.org,
            "projectId": lambda: source.choice(tenant.projects),
            "sourcePlatformPostId": lambda: source.choice((*POSTS, *tenant.posts)),
            "variations": lambda: source.choice((1, 1, 2)),
            "requestedAt": lambda: 1_795_000_000_000,
            "requestedBy": lambda: "fuzz",
        }
        if name in known and not isinstance(field["type"], dict):
            return known[name]()
        return self._of(field["type"], name)

    def _of(self, kind: Any, name: str) -> Any:
        """A value that nobody objects to."""
        source = self._source
        if isinstance(kind, list):
            return None if "null" in kind else self._of(kind[0], name)
        if isinstance(kind, dict):
            return self._of_complex(kind, name)
        if kind == "string":
            return str(uuid.UUID(int=source.getrandbits(128), version=4)) if name.endswith("Id") else "text"
        return {"boolean": True, "float": 0.5, "double": 0.5, "bytes": b"x"}.get(kind, 1)

    def _of_complex(self, kind: Mapping[str, Any], name: str) -> Any:
        if kind["type"] == "enum":
            return self._source.choice(kind["symbols"])
        if kind["type"] == "array":
            return [self._of(kind["items"], name)]
        if kind["type"] == "record":
            return {field["name"]: self._of(field["type"], field["name"]) for field in kind["fields"]}
        return self._of(kind["type"], name)

    def _bad(self, kind: Any) -> Any:
        source = self._source
        if isinstance(kind, list):
            return self._bad(source.choice(kind))
        if isinstance(kind, dict):
            if kind["type"] == "array":
                return [self._bad(kind["items"]) for _ in range(source.choice((0, 3, 500)))]
            if kind["type"] == "record":
                return {field["name"]: self._bad(field["type"]) for field in kind["fields"]}
            return self._of_complex(kind, "") if kind["type"] == "enum" else self._bad(kind["type"])
        if kind == "string":
            return source.choice(
                (source.choice(_TEXTS), self._printable(), str(uuid.UUID(int=source.getrandbits(128))))
            )
        if kind in ("int", "long"):
            most = 2**31 if kind == "int" else 2**63
            return source.choice([number for number in _NUMBERS if -most <= number < most])
        return {"null": None, "boolean": False, "bytes": source.randbytes(20)}.get(kind, source.choice((1e308, -0.0)))

    def _printable(self) -> str:
        return "".join(self._source.choices(string.printable, k=self._source.randrange(60)))

    def _noise(self, most: int) -> bytes:
        return self._source.randbytes(self._source.randrange(most))

    def _flipped(self, value: bytes) -> bytes:
        changed = bytearray(value)
        for _ in range(self._source.randint(1, 8)):
            changed[self._source.randrange(len(changed))] ^= 1 << self._source.randrange(8)
        return bytes(changed)

    def _spliced(self, value: bytes) -> bytes:
        cuts = sorted(self._source.randrange(len(value)) for _ in range(3))
        a, b, c = value[: cuts[0]], value[cuts[0] : cuts[1]], value[cuts[1] : cuts[2]]
        return b"".join(self._source.sample((a, b, c, value[cuts[2] :]), 4)) + self._source.choice((b"", b))

    def _with_varint(self, value: bytes) -> bytes:
        """A length that promises more than there is, or less than nothing, at some place."""
        number = self._source.choice((2**16, 2**31, 2**40, 2**62, -1, -(2**31), -(2**62)))
        at = self._source.randrange(_BODY, len(value))
        return value[:at] + _varint(number) + value[at + self._source.choice((0, 1)) :]

    def _nested(self, value: bytes) -> bytes:
        one = self._source.choice((b"\x02", b"\x01", b"\x00", b"\x02\x02", b"\x03\x80\x01", b"\xff"))
        return value[: self._source.randrange(_BODY, len(value))] + one * self._source.choice((10, 1_000, 20_000))

    def _fingerprinted(self, value: bytes) -> bytes:
        other = self._avro(self._source.choice(list(_SCHEMAS)))
        return _MARK + self._source.choice((self._source.randbytes(8), other[2:_BODY], b"\x00" * 8)) + value[_BODY:]

    def _framed(self, value: bytes) -> bytes:
        number = self._source.choice((0, 1, 2, 2**31, 2**32 - 1)).to_bytes(4, "big")
        return (
            self._source.choice((b"\x00" + number, b"\xc3\x02" + value[2:_BODY], b"Obj\x01", b"{", b"")) + value[_BODY:]
        )

    def _key_of(self, value: bytes) -> bytes | None:
        try:
            _, fields = avro.decode(value)
        except avro.Undecodable:
            return None
        text = str(fields.get("containerId", ""))
        return text.encode() if self._source.random() < 0.5 else text.lower().encode()

    def _wrong_key(self, key: bytes) -> bytes | None:
        source = self._source
        other = str(uuid.UUID(int=source.getrandbits(128))).encode()
        return source.choice((None, b"", key.upper(), key + b" ", source.randbytes(20), b"k" * 3_000, other))

    def _headers(self, headers: Headers) -> Headers:
        source = self._source
        large = b"h" * 1_000_000 if source.random() < 0.002 else source.randbytes(100)
        more: Headers = [
            ("ce_type", source.choice(_TYPES)),
            ("ce_id", source.choice((b"", b"x" * 300, b"\xff\xfe", b"id", None))),
            ("reply_to", source.choice((b"-1", b"0", b"15", b"16", b"99999", b"1e3", "٣".encode(), b"\xff", None))),
            (
                "traceparent",
                source.choice((b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01", b"\x00", source.randbytes(60))),
            ),
            ("dlq_reason", b"ours"),
            ("", large),
            ("x" * 300, b""),
        ]
        return [*headers, *source.sample(more, source.randint(1, 4))] * source.choice((1, 1, 1, 20))


def _varint(number: int) -> bytes:
    """Avro's long: zigzag, seven bits a byte."""
    left = (number << 1) ^ (number >> 63) if number < 0 else number << 1
    left &= (1 << 64) - 1
    found = bytearray()
    while left > 0x7F:
        found.append((left & 0x7F) | 0x80)
        left >>= 7
    return bytes([*found, left])
