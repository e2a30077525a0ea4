"""Twelve sources, each forked and reimagined: the last part of docs/generation.md, with its contact sheets.

`python -m bench.generation.samples` writes both anew, so that the pages show what the code makes.
"""

import io
import textwrap
import uuid
from pathlib import Path
from typing import Final

from PIL import Image

from bench.generation.corpus import brands, sources
from bench.generation.table import MODES
from bench.generation.tokens import said_by
from bench.generation.trial import run
from consumers.generation.generators import Made
from consumers.generation.standalone import standalone
from consumers.rendering.render import contact_sheet
from storage.material import Material
from storage.renders import RenderOrder
from storage.variations import Lease

HEADING: Final = "## Twelve sources, forked and reimagined\n"
# One of each hook shape that has one, and two of three: chosen before anything was written for them.
PLACES: Final = (0, 3, 6, 9, 11, 14, 17, 20, 23, 27, 33, 41)
_BRANDS: Final = 6
_NOBODY: Final = uuid.UUID(int=0)
_WIDTH: Final = 800
_QUALITY: Final = 62


def main() -> None:
    """Write the part of the page behind HEADING, and the pictures into the folder beside it."""
    docs = Path("docs")
    page = docs / "generation.md"
    folder = docs / "generation"
    folder.mkdir(exist_ok=True)
    kept, found, _ = page.read_text(encoding="utf-8").partition(HEADING)
    if not found:
        raise SystemExit(f"{page} has no heading {HEADING.strip()}: run this at the root of the repository.")
    parts = [_part(number, folder) for number in range(len(PLACES))]
    page.write_text(kept + HEADING + "\n" + _INTRODUCTION + "\n" + "\n".join(parts), encoding="utf-8")


_INTRODUCTION: Final = """\
The first variation of a job each, the first four jobs of each of the demo's brands, sources from the held-out half. No
job was picked after reading; sentences that read badly here were mended where they are kept, so these flatter.
Made, with the contact sheets that the role `render` gives, by `python -m bench.generation.samples`.
"""


def _part(number: int, folder: Path) -> str:
    item = sources("held_out")[PLACES[number]]
    brand = brands()[number % _BRANDS]
    seconds = (item.source.get("durationMs") or 0) / 1000
    told = " / ".join(part["text"] for part in item.source.get("transcript") or ()) or said_by(item.source)
    lines = [
        f"### {number + 1}. {brand['name']} ({item.labels['hookShape']}, {seconds:.0f} s)",
        _filled(f"*Source.* {told}"),
    ]
    for turn, mode in enumerate(MODES):
        ordinal = number // _BRANDS * len(MODES) + turn
        job = standalone(item.source, brand, mode=mode, variations=1, ordinal=ordinal)
        (made,) = run(job).made
        name = f"{number + 1:02}-{mode}.webp"
        (folder / name).write_bytes(_small(contact_sheet(_order(job, made)).content))
        lines.append(_text(mode, made))
        lines.append(f"![Contact sheet: {made.creative['hook']}](generation/{name})")
    return "\n\n".join(lines) + "\n"


def _text(mode: str, made: Made) -> str:
    shots = len(made.creative["shots"])
    about = f"{made.hook_shape}; {made.visual_format}, {shots} shots, {made.duration_ms / 1000:.1f} s"
    script = _filled(f"*{mode.capitalize()}* ({about}). {made.creative['voiceOverScript']}")
    return f"{script}  \n{_filled('*Caption:* ' + made.creative['caption'])}"


def _filled(text: str) -> str:
    return textwrap.fill(text, 118, break_long_words=False, break_on_hyphens=False)


def _order(job: Material, made: Made) -> RenderOrder:
    return RenderOrder(
        Lease(job.job_id, 0, 1),
        _NOBODY,
        job.brand,
        job.layer_format,
        job.language,
        made.creative,
        made.hook_shape,
        made.visual_format,
        made.duration_ms,
        made.provenance["beats"],
    )


def _small(sheet: bytes) -> bytes:
    """For a page: the sheet itself is wider."""
    picture = Image.open(io.BytesIO(sheet))
    height = round(picture.height * _WIDTH / picture.width)
    out = io.BytesIO()
    picture.resize((_WIDTH, height), Image.Resampling.LANCZOS).save(out, "WEBP", quality=_QUALITY, method=6)
    return out.getvalue()


if __name__ == "__main__":
    main()
