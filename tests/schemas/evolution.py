"""The evolution gate: what a change of a schema breaks, and what a release writes too early. Pure."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import parse

from schemas.codec import fingerprint_of

Version = tuple[int, ...]
Schemas = Mapping[str, dict[str, Any]]
"""Schemas by the name of their record."""
History = Mapping[Version, Schemas]
"""What became readable with each release, oldest first."""


def releases(folder: Path) -> History:
    """Every release's schemas, oldest first."""
    found = {version_of(release.name): schemas_in(release) for release in folder.iterdir() if release.is_dir()}
    return dict(sorted(found.items()))


def version_of(text: str) -> Version:
    """1.10.0 as (1, 10, 0), which is after (1, 9, 0)."""
    return tuple(int(part) for part in text.split("."))


def schemas_in(folder: Path) -> Schemas:
    """The .avsc files of a folder."""
    return {file.stem: json.loads(file.read_text("utf-8")) for file in sorted(folder.glob("*.avsc"))}


def breaks(current: Schemas, history: History) -> list[str]:
    """What FULL_TRANSITIVE forbids: schemas of any two releases that cannot read each other's records."""
    everything = [*history.items(), ((), current)]
    found = []
    for position, (new_version, new) in enumerate(everything):
        for old_version, old in everything[:position]:
            between = f"{_shown(new_version)} and {_shown(old_version)}"
            found += [f"{name} is gone between {between}" for name in old.keys() - new.keys()]
            for name in sorted(new.keys() & old.keys()):
                if not _reads(new[name], old[name]):
                    found.append(f"{name}: {_shown(new_version)} cannot read what {_shown(old_version)} writes")
                if not _reads(old[name], new[name]):
                    found.append(f"{name}: {_shown(old_version)} cannot read what {_shown(new_version)} writes")
    return found


def written_too_early(written: Iterable[dict[str, Any]], version: Version, history: History) -> list[str]:
    """Records that this version writes by a schema which the release before cannot read.

    During a rolling deploy both run: the older one would dead-letter them. The first release has none before it.
    """
    before = [schemas for released, schemas in history.items() if released < version]
    if not before:
        before = list(history.values())
    readable = {fingerprint_of(schema) for schemas in before for schema in schemas.values()}
    return [schema["name"] for schema in written if fingerprint_of(schema) not in readable]


def _reads(reader: dict[str, Any], writer: dict[str, Any]) -> bool:
    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]  # the package has no annotations
    checked = checker.get_compatibility(parse(json.dumps(reader)), parse(json.dumps(writer)))
    return bool(checked.compatibility is SchemaCompatibilityType.compatible)


def _shown(version: Version) -> str:
    return ".".join(map(str, version)) or "this one"
