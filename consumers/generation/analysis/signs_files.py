"""The signs that analysis goes by: patterns and words in files beside this module, read once."""

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, Final

_FLAGS: Final = re.IGNORECASE | re.UNICODE


@cache
def patterns(name: str, key: str) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """The named patterns of signs/NAME.toml, in the order in which they are to be tried."""
    return tuple((entry["name"], re.compile("|".join(entry["signs"]), _FLAGS)) for entry in read(name)[key])


@cache
def read(name: str) -> dict[str, Any]:
    """The content of signs/NAME.toml."""
    return tomllib.loads(files(__package__).joinpath(f"signs/{name}.toml").read_text(encoding="utf-8"))
