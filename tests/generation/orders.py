"""Orders for generators, without a database."""

import uuid
from typing import Any, Final

from consumers.generation.generators import Generator as AnyGenerator
from consumers.generation.generators import Made, Order
from storage.material import Material
from tests.generation.world import BRAND

JOB_ID: Final = uuid.UUID(int=7)
SOURCE: Final[dict[str, Any]] = {
    "platform": "tiktok",
    "format": "video",
    "caption": "I owe my mirror an apology. #skintok @dewydiaries",
    "durationMs": 21_000,
    "transcript": [
        {"startMs": 0, "endMs": 4_000, "text": "Stop scrubbing your face every single night."},
        {"startMs": 4_000, "endMs": 9_200, "text": "I did it for six years and wondered why my cheeks stayed red."},
        {"startMs": 9_200, "endMs": 17_000, "text": "Two weeks of doing less, and look at this."},
        {"startMs": 17_000, "endMs": 21_000, "text": "The link to everything I use is in my bio."},
    ],
    "shots": [
        {"startMs": 0, "endMs": 4_200, "description": "Speaker leans into the camera"},
        {"startMs": 4_200, "endMs": 12_000, "description": "Bathroom shelf"},
        {"startMs": 12_000, "endMs": 21_000, "description": "Close-up of a cheek"},
    ],
}


def order(
    index: int = 0,
    *,
    job_id: uuid.UUID = JOB_ID,
    attempt: int = 1,
    brand: dict[str, Any] | None = None,
    source: dict[str, Any] | None = None,
    **changes: Any,
) -> Order:
    """An order of the demo's kind; `changes` replace fields of the material."""
    fields: dict[str, Any] = {
        "job_id": job_id,
        "container_id": uuid.UUID(int=1),
        "org_id": uuid.UUID(int=2),
        "project_id": uuid.UUID(int=3),
        "traceparent": None,
        "mode": "fork",
        "variations": 10,
        "overrides": {},
        "ordinal": 0,
        "brand": BRAND if brand is None else brand,
        "layer_format": "video",
        "platform": "tiktok",
        "language": "en",
        "source": SOURCE if source is None else source,
        **changes,
    }
    return Order(str(job_id), index, attempt, Material(**fields))


def make(generator: AnyGenerator, wanted: Order) -> Made:
    return generator.generate(wanted, lambda step: None)
