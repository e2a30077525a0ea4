"""Copies of the source tree, with a defect in them or without."""

import shutil
from pathlib import Path
from typing import Final

from tests.planted.defects import Defect

ROOT: Final = Path(__file__).parents[2]
_ROOMS: Final = ("bench", "clonepost", "consumers", "producer", "runtime", "schemas", "storage", "tests", "docs")


def source_tree(folder: Path) -> Path:
    """A copy of everything that a test or a drill needs."""
    for room in _ROOMS:
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def planted_tree(folder: Path, defect: Defect) -> Path:
    """A copy with this defect in it."""
    tree = source_tree(folder)
    file = tree / defect.file
    source = file.read_text("utf-8")
    for old, new in defect.edits:
        source = source.replace(old, new)
    file.write_text(source, "utf-8")
    return tree
