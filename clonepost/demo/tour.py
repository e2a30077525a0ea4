"""The guided first clone: import the demo data, send the request over HTTP, watch the job, show source beside clones.

Everything here goes through the public surfaces, the HTTP API and the reference import: what it shows is what a partner
gets.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from schemas.ids import ProjectId, format_id

STAGES: Final = ("queued", "analyzing_source", "generating", "rendering", "finalizing")
# The demo's own rows, as reference.jsonl has them.
_ORGANIZATION: Final = uuid.UUID("00000000-0000-0000-0000-000000000000")
_KEY_FILE: Final = "demo-key"


@dataclass(frozen=True, slots=True)
class DemoRequest:
    """The request that the tour sends: the owner's own example, with ids that exist here."""

    project_id: uuid.UUID
    source: Mapping[str, Any]

    def body(self) -> dict[str, object]:
        """The JSON body: a reimagining in three variations."""
        return {
            "projectId": format_id("proj", ProjectId(self.project_id)),
            "sourcePlatformPostId": format_id("pp", uuid.UUID(self.source["id"])),
            "mode": "reimagine",
            "variations": 3,
        }
