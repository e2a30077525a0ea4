"""JSON from outside, without what JSON parsers forgive: duplicate keys, NaN, lone surrogates, bottomless nesting."""

import json
from typing import Any, Final, NoReturn

MAX_DEPTH: Final = 16


class MalformedJson(ValueError):
    """The bytes are no JSON (`is_json` false), or JSON that is ambiguous or unsafe (`is_json` true)."""

    def __init__(self, message: str, *, is_json: bool) -> None:
        super().__init__(message)
        self.is_json = is_json


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise MalformedJson(f"the key {_printable(twice)} stands twice", is_json=True)
    return result


def _refuse_constant(name: str) -> NoReturn:
    raise MalformedJson(f"{name} is no JSON value", is_json=False)


_decoder: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant)


def parse_strict(body: bytes) -> Any:
    """The JSON value of a body. Raises MalformedJson with a message for the sender.

    Numbers with a fraction or an exponent stay floats, so `3.0` is never taken for the integer 3.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise MalformedJson(f"the body is not UTF-8 (byte {error.start})", is_json=False) from error
    try:
        value, end = _decoder.raw_decode(text, 0 if text[:1] == "{" else _skip_space(text, 0))
    except RecursionError as error:
        raise MalformedJson(f"nested deeper than {MAX_DEPTH} levels", is_json=True) from error
    except json.JSONDecodeError as error:
        raise MalformedJson(
            f"the body is not valid JSON: {error.msg} at character {error.pos}", is_json=False
        ) from error
    except MalformedJson:
        raise
    except ValueError as error:
        # Python refuses integers of more than 4,300 digits.
        raise MalformedJson("a number is too long", is_json=True) from error
    if end != len(text) and _skip_space(text, end) != len(text):
        raise MalformedJson(f"the body goes on after the JSON value at character {end}", is_json=False)
    # Without that many brackets it cannot be that deep.
    if text.count("{") + text.count("[") > MAX_DEPTH and _deeper_than(value, MAX_DEPTH):
        raise MalformedJson(f"nested deeper than {MAX_DEPTH} levels", is_json=True)
    return value


def _skip_space(text: str, start: int) -> int:
    while start < len(text) and text[start] in " \t\r\n":
        start += 1
    return start


def _deeper_than(value: Any, depth: int) -> bool:
    level = [value]
    for _ in range(depth):
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return any(isinstance(item, dict | list) for item in level)


def _printable(name: str) -> str:
    return json.dumps(name[:80])
