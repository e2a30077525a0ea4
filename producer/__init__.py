"""The HTTP API and the publisher that internal systems import.

`ingest` takes requests in and decides nothing; `read` shows what was decided. May import `storage`, `runtime` and
`schemas`; never `consumers` or `clonepost`.
"""

from producer.publisher import ClonePublisher

__all__ = ["ClonePublisher"]
