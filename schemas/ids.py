"""Ids: UUIDs inside, `prefix_` + 26 Crockford base32 characters (a ULID's alphabet, upper case) outside.

Every derived id is a pure function of what it names, so that any process computes the same one. The namespaces and
names below are held by readers of our topics: never change.
"""

import hashlib
import os
import random
import uuid
from functools import lru_cache
from typing import Final, Literal, NewType

OrgId = NewType("OrgId", uuid.UUID)
ProjectId = NewType("ProjectId", uuid.UUID)
LayerId = NewType("LayerId", uuid.UUID)
PostId = NewType("PostId", uuid.UUID)
ContainerId = NewType("ContainerId", uuid.UUID)
VariationId = NewType("VariationId", uuid.UUID)
JobId = NewType("JobId", uuid.UUID)
RequestId = NewType("RequestId", uuid.UUID)
EventId = NewType("EventId", uuid.UUID)

Prefix = Literal["org", "proj", "lay", "pp", "cnt", "var", "job", "req", "evt"]

_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUE: Final = {character: value for value, character in enumerate(_ALPHABET)}
_ULID_CHARACTERS: Final = 26
_PAIRS: Final = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
# Unique, not secret: the system's own generator would cost a system call for each.
_random: Final = random.Random()  # noqa: S311
# Processes forked from one that has imported this would all draw the same ids.
os.register_at_fork(after_in_child=_random.seed)
_new: Final = object.__new__
_set: Final = object.__setattr__
_UNKNOWN: Final = uuid.SafeUUID.unknown
_NO_VERSION: Final = ~(0xF000 << 64 | 0xC000 << 48)
_VARIANT: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
_VERSION_4: Final = 4 << 76 | 0x8000 << 48
_VERSION_5: Final = 5 << 76 | 0x8000 << 48
_VERSION_8: Final = 8 << 76 | 0x8000 << 48


class InvalidId(ValueError):
    """A text that is no id of the kind asked for; the message says which forms are."""

    def __init__(self, prefix: Prefix) -> None:
        super().__init__(f"must be a UUID, {prefix}_<26 Crockford base32 characters> or {prefix}_<UUID>")


def _uuid(number: int) -> uuid.UUID:
    """The UUID of 128 bits, without the checks of UUID's own constructor, which take three times as long as the rest.

    A request makes several. The two attributes are all that a UUID has; a test holds that against each Python version.
    """
    made = _new(uuid.UUID)
    _set(made, "int", number)
    _set(made, "is_safe", _UNKNOWN)
    return made


@lru_cache(maxsize=4_096)
def text_of(value: uuid.UUID) -> str:
    """The UUID's text. For ids that come again and again, of organisations and projects: kept, it costs a quarter."""
    return str(value)


def format_id(prefix: Prefix, value: uuid.UUID) -> str:
    """The outside form: `job_01HXZ9G7KMV2QX8Y1S5RJW3B7T`."""
    return format_number(prefix, value.int)


def format_number(prefix: Prefix, n: int) -> str:
    """The outside form of a UUID's 128 bits."""
    # Ten bits are two characters. Written out, because every answer has several ids: a loop takes three times as long.
    return (
        f"{prefix}_{_PAIRS[n >> 120]}{_PAIRS[n >> 110 & 1023]}{_PAIRS[n >> 100 & 1023]}{_PAIRS[n >> 90 & 1023]}"
        f"{_PAIRS[n >> 80 & 1023]}{_PAIRS[n >> 70 & 1023]}{_PAIRS[n >> 60 & 1023]}{_PAIRS[n >> 50 & 1023]}"
        f"{_PAIRS[n >> 40 & 1023]}{_PAIRS[n >> 30 & 1023]}{_PAIRS[n >> 20 & 1023]}{_PAIRS[n >> 10 & 1023]}"
        f"{_PAIRS[n & 1023]}"
    )


def parse_id(prefix: Prefix, text: str) -> uuid.UUID:
    """Read any of the three input forms, in either case. Raises InvalidId."""
    bare = text
    if len(text) > len(prefix) and text[len(prefix)] == "_" and text[: len(prefix)].lower() == prefix:
        bare = text[len(prefix) + 1 :]
        if len(bare) == _ULID_CHARACTERS:
            return _from_ulid(prefix, bare)
    parsed = parse_uuid(bare)
    if parsed is None:
        raise InvalidId(prefix)
    return parsed


parse_known_id: Final = lru_cache(maxsize=4_096)(parse_id)
"""`parse_id` for ids that come again and again, of organisations and projects. Texts that are no ids are not kept."""


@lru_cache(maxsize=4_096)
def known_text(value: uuid.UUID) -> str:
    """As `str`, for ids that come again and again."""
    return str(value)


def parse_uuid(text: str) -> uuid.UUID | None:
    """The UUID that the text writes in its plain 8-4-4-4-12 form, or None. Python's own parser takes far more forms."""
    if len(text) != 36 or text[8] != "-" or text[13] != "-" or text[18] != "-" or text[23] != "-":
        return None
    digits = text.replace("-", "")
    if len(digits) != 32 or not digits.isascii() or not digits.isalnum():
        return None
    try:
        return _uuid(int(digits, 16))
    except ValueError:
        return None


def _from_ulid(prefix: Prefix, text: str) -> uuid.UUID:
    number = 0
    for character in text.upper():
        value = _VALUE.get(character)
        if value is None:
            raise InvalidId(prefix)
        number = number << 5 | value
    if number >> 128:
        raise InvalidId(prefix)
    return _uuid(number)


def new_request_id() -> RequestId:
    """A fresh random request id. It names a request and guards nothing."""
    return RequestId(_uuid(_random.getrandbits(128) & _NO_VERSION | _VERSION_4))


def new_request_name() -> str:
    """A fresh random request id in its outside form."""
    return format_number("req", _random.getrandbits(128) & _NO_VERSION | _VERSION_4)


def uuid_8(first_bits: int) -> uuid.UUID:
    """The UUID of 128 bits with the bits of version 8 set, whose other bits are free for a use of one's own."""
    return _uuid(number_8(first_bits))


def number_8(first_bits: int) -> int:
    """The 128 bits of `uuid_8`."""
    return first_bits & _NO_VERSION | _VERSION_8


def _uuid_5(namespace: uuid.UUID, name: str) -> uuid.UUID:
    """The version-5 UUID of RFC 9562, as `uuid.uuid5` makes it in twice the time."""
    digest = hashlib.sha1(namespace.int.to_bytes(16, "big") + name.encode(), usedforsecurity=False).digest()
    return _uuid(int.from_bytes(digest[:16], "big") & _NO_VERSION | _VERSION_5)


def _uuid_5_text(namespace: uuid.UUID, name: bytes) -> str:
    """The same as text, from the digest's own digits: a number would be made of them and digits of that again."""
    digits = hashlib.sha1(namespace.int.to_bytes(16, "big") + name, usedforsecurity=False).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{_VARIANT[digits[16]]}{digits[17:20]}-{digits[20:32]}"


def variation_id(job_id: JobId, index: int) -> VariationId:
    """The id of a job's variation: version-5 UUID in the job's namespace of `variation/<index>`."""
    return VariationId(_uuid_5(job_id, f"variation/{index}"))


def variation_id_text(job_id: JobId, index: int) -> str:
    """`variation_id` as text, without making the UUID: a job's end names each of its variations."""
    return _uuid_5_text(job_id, b"variation/%d" % index)


def event_id(job_id: JobId, event_type: str) -> EventId:
    """The id of the one event of that type that a job can have: version-5 UUID in the job's namespace of the type."""
    return EventId(_uuid_5(job_id, event_type))


def event_id_text(job_id: JobId, event_type: str) -> str:
    """`event_id` as text, without making the UUID."""
    return _uuid_5_text(job_id, event_type.encode())


def record_event_id(topic_id: uuid.UUID, partition: int, offset: int, event_type: str) -> EventId:
    """The id of an event that answers one record: version-5 UUID in the topic's namespace of the record's place."""
    return EventId(_uuid_5(topic_id, f"{partition}/{offset}/{event_type}"))
