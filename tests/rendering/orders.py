"""Orders for the renderer, and small pictures for quick tests."""

import uuid
from typing import Any, Final

from consumers.rendering.frame import Frame
from consumers.rendering.render import Asset, render
from storage.renders import RenderOrder
from storage.variations import Lease

SMALL: Final = Frame(270, 480)
SCRIPT: Final = "Your skin looks tired by noon. Luma sinks in within a minute. Tap the link to meet Luma."


def order(
    *,
    layer_format: str = "video",
    language: str = "en",
    duration_ms: int = 6_000,
    beats: tuple[str | None, ...] = (None, None, None),
    brand: dict[str, Any] | None = None,
    visual_format: str = "demo",
    **creative: Any,
) -> RenderOrder:
    """Six seconds of three shots; `creative` replaces texts."""
    edges = [duration_ms * number // len(beats) for number in range(len(beats) + 1)]
    shots = [
        {"startMs": edges[n], "endMs": edges[n + 1], "description": f"Shot {n}: a shelf, seen from above."}
        for n in range(len(beats))
    ]
    texts = {
        "hook": "Your skin looks tired by noon.",
        "caption": "A serum.",
        "cta": "Tap the link to meet Luma",
        "voiceOverScript": SCRIPT,
        "shots": shots,
    }
    return RenderOrder(
        Lease(uuid.UUID(int=7), 0, 1),
        uuid.UUID(int=2),
        {"name": "Luma", "color": "#e11d48"} if brand is None else brand,
        layer_format,
        language,
        {**texts, **creative},
        "bold_claim",
        visual_format,
        duration_ms,
        [
            {"kind": beat, "startMs": edges[n], "endMs": edges[n + 1]}
            for n, beat in enumerate(beats)
            if beat is not None
        ],
    )


def rendered(wanted: RenderOrder, *, frame: Frame = SMALL) -> dict[str, Asset]:
    """The assets by name."""
    assets: dict[str, Asset] = {}
    render(wanted, lambda asset: assets.update({asset.name: asset}), clip=frame, card=frame)
    return assets
