"""Ask for a clone straight over Kafka, as an internal system does.

    KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:9092 .venv/bin/python docs/examples/publish_clone.py \
        --organization ID --project ID --source ID

Prints the container and the job. `clonepost tail clone.admissions` shows the verdict, `clonepost tail
clone.jobs-completed` the end.
"""

import argparse
import uuid
from collections.abc import Callable

from producer import ClonePublisher
from schemas.canonical import CloneRequest
from schemas.ids import ContainerId, InvalidId, OrgId, Prefix, ProjectId, format_id, parse_id
from schemas.request_rules import RequestInvalid


def main() -> None:
    """Publish one request and print what identifies it."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--organization", required=True, type=_id("org"), help="org_… or a UUID")
    arguments.add_argument("--project", required=True, type=_id("proj"), help="proj_… or a UUID")
    arguments.add_argument("--source", required=True, help="pp_…, a UUID, or the platform's own id")
    arguments.add_argument("--container", type=_id("cnt"), default=uuid.uuid4(), help="cnt_… or a UUID; a fresh one")
    arguments.add_argument("--mode", choices=("fork", "reimagine"), default="fork")
    arguments.add_argument("--variations", type=int, default=3)
    given = arguments.parse_args()
    request = CloneRequest(
        org_id=OrgId(given.organization),
        container_id=ContainerId(given.container),
        project_id=ProjectId(given.project),
        source=given.source,
        mode=given.mode,
        variations=given.variations,
    )
    with ClonePublisher(requested_by="example") as publisher:
        try:
            job = publisher.request(request)
        except RequestInvalid as error:
            arguments.error(str(error))
    print(f"container {format_id('cnt', request.container_id)}\njob       {format_id('job', job)}")


def _id(prefix: Prefix) -> Callable[[str], uuid.UUID]:
    def parse(text: str) -> uuid.UUID:
        try:
            return parse_id(prefix, text)
        except InvalidId as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return parse


if __name__ == "__main__":
    main()
