"""A pipeline of role processes on the session's broker and database server, and clients of it."""

import json
import os
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from clonepost.localstack.child import Child
from clonepost.localstack.ports import free_port
from clonepost.roles import ROLES
from runtime.kafka_admin import KafkaAdmin
from runtime.publishing import Outgoing, Publisher
from runtime.record import Record, raw_bytes
from runtime.settings import Settings
from runtime.tailing import tail
from schemas import codec
from schemas.canonical import CloneRequest
from schemas.topics import Topic
from storage import keys, reference
from storage.connection import Database
from tests.awaiting import eventually

SOURCE = "7301"


@dataclass(slots=True)
class Tenant:
    """An organisation with one project, one video layer and one source post."""

    org_id: uuid.UUID = field(default_factory=uuid.uuid4)
    project_id: uuid.UUID = field(default_factory=uuid.uuid4)
    layer_id: uuid.UUID = field(default_factory=uuid.uuid4)
    post_id: uuid.UUID = field(default_factory=uuid.uuid4)
    api_key: str = ""

    def lines(
        self, *, credit: int = 1_000_000, language: str = "en", layer_format: str = "video", running_jobs: int = 1_000
    ) -> list[str]:
        """Its reference data."""
        org, project = str(self.org_id), str(self.project_id)
        brand: dict[str, Any] = {"name": "Luma", "product": "vitamin C serum", "benefits": ["brightens in a week"]}
        brand |= {"proof": ["tested by dermatologists"], "cta": {"kind": "link", "text": "Tap the link for Luma"}}
        spoken = [
            {"startMs": 0, "endMs": 3000, "text": "Stop buying ten bottles."},
            {"startMs": 3000, "endMs": 9000, "text": "I hated my shelf for years."},
            {"startMs": 9000, "endMs": 12000, "text": "Link in bio."},
        ]
        rows: list[dict[str, Any]] = [
            {"type": "organization", "id": org, "name": "Acme", "maxRunningJobs": running_jobs},
            {"type": "project", "id": project, "organizationId": org, "name": "Luma", "brand": brand},
            {
                "type": "layer",
                "id": str(self.layer_id),
                "projectId": project,
                "name": "UGC",
                "format": layer_format,
                "language": language,
            },
            {
                "type": "source_post",
                "id": str(self.post_id),
                "organizationId": org,
                "platform": "tiktok",
                "externalId": SOURCE,
                "format": "video",
                "caption": "my honest shelf",
                "durationMs": 12000,
                "transcript": spoken,
            },
        ]
        if credit:
            grant = {"type": "credit_grant", "id": str(uuid.uuid4()), "organizationId": org, "amount": credit}
            rows.append(grant)
        return [json.dumps(row) for row in rows]

    def body(self, **changes: Any) -> dict[str, Any]:
        """A valid request body."""
        return {"projectId": str(self.project_id), "sourcePlatformPostId": SOURCE, **changes}

    def request(self, container: uuid.UUID, **changes: Any) -> CloneRequest:
        """The same request as `body`, for Kafka."""
        values: dict[str, Any] = {
            "org_id": self.org_id,
            "container_id": container,
            "project_id": self.project_id,
            "source": SOURCE,
        }
        return CloneRequest(**(values | changes))


class Pipeline:
    """Role processes of one system. `restart` and `kill` act on one of them."""

    def __init__(self, settings: Settings, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.settings = settings
        self.admin = KafkaAdmin(settings)
        self.database = Database(settings.database_url.get_secret_value(), application_name="test-pipeline")
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        self.environment = {
            **os.environ,
            "DATABASE_URL": settings.database_url.get_secret_value(),
            "KAFKA_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
            "CLONEPOST_TOPIC_PREFIX": settings.topic_prefix,
            "CLONEPOST_HTTP_PORT": str(self.port),
            "CLONEPOST_RATE_LIMITS": "false",
            "CLONEPOST_GENERATOR": "scripted",
            **(environment or {}),
        }
        self.roles: dict[str, Child] = {}

    def start(self, *names: str) -> None:
        """Start these roles (all by default); returns when the API, if among them, is ready."""
        for name in names or [role.name for role in ROLES]:
            self.launch(name)
        if "api" in self.roles:
            self.await_ready()

    def await_ready(self) -> None:
        """Return once the API is ready."""
        eventually(self._ready, what=f"the API is ready: {self.log('api')}")

    def launch(self, name: str) -> Child:
        """Start one role and wait for nothing."""
        child = Child(
            name,
            [sys.executable, "-m", "clonepost", "run", name],
            log=self.folder / f"{name}.log",
            environment={**self.environment, "CLONEPOST_INSTANCE": name},
        )
        child.start()
        self.roles[name] = child
        return child

    def stop(self, *names: str) -> None:
        """Stop these roles (all by default) gracefully."""
        children = [self.roles.pop(name) for name in (names or list(self.roles))]
        for child in children:
            child.ask_to_stop()
        for child in children:
            child.await_stop(15)

    def close(self) -> None:
        """Stop everything."""
        self.stop()
        self.database.close()

    def log(self, name: str) -> str:
        """What a role has logged."""
        file = self.folder / f"{name}.log"
        return file.read_text("utf-8", "replace") if file.exists() else ""

    def tenant(self, scopes: Sequence[str] = ("*",), **options: Any) -> Tenant:
        """A new organisation with a key that the API already takes."""
        tenant = self.tenant_to_come(scopes, **options)
        self.await_key(tenant.api_key)
        return tenant

    def tenant_to_come(self, scopes: Sequence[str] = ("*",), **options: Any) -> Tenant:
        """A new organisation with a key, for an API that starts later: every process of it then takes the key."""
        tenant = Tenant()
        with self.database.transaction() as connection:
            reference.import_lines(connection, tenant.lines(**options))
            _, tenant.api_key = keys.create(
                connection, tenant.org_id, scopes=scopes, tier="partner", environment="test"
            )
        return tenant

    def key(self, tenant: Tenant, scopes: Sequence[str], *, tier: str = "partner") -> str:
        """Another key of a tenant, once the API takes it."""
        with self.database.transaction() as connection:
            _, api_key = keys.create(connection, tenant.org_id, scopes=scopes, tier=tier, environment="test")
        self.await_key(api_key)
        return api_key

    def await_key(self, api_key: str) -> None:
        """Return once the API takes the key."""
        eventually(
            lambda: httpx.get(f"{self.address}/v1/whoami", headers={"X-Api-Key": api_key}).status_code == 200,
            what="the API takes the new key",
        )

    def client(self, tenant: Tenant) -> httpx.Client:
        """An HTTP client with the tenant's key."""
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=200)
        return httpx.Client(
            base_url=self.address, headers={"X-Api-Key": tenant.api_key}, timeout=60, limits=limits, trust_env=False
        )

    def post_many(self, tenant: Tenant, asks: Sequence[tuple[uuid.UUID, Mapping[str, Any]]]) -> list[httpx.Response]:
        """POST all of these at once; answers in the order of the asks."""
        with self.client(tenant) as client, ThreadPoolExecutor(len(asks)) as pool:
            return list(pool.map(lambda ask: client.post(f"/v1/content/{ask[0]}/clone-from-post", json=ask[1]), asks))

    def ended(self, client: httpx.Client, job: str) -> dict[str, Any]:
        """The job's envelope once it has ended."""

        def look() -> dict[str, Any] | None:
            answer = client.get(f"/v1/jobs/{job}", headers={"Prefer": "wait=5"})
            envelope: dict[str, Any] = answer.json()
            return envelope if answer.status_code == 200 and envelope["status"] != "running" else None

        return eventually(look, what=f"job {job} ends")

    def publish(self, records: Sequence[Outgoing]) -> None:
        """Produce raw records and wait for their acknowledgement."""
        publisher = Publisher(self.settings)
        publisher.publish(records)
        publisher.close()

    def topic(self, topic: Topic) -> str:
        """A topic's full name."""
        return self.settings.topic_prefix + topic.name

    def records(self, topic: Topic) -> list[Record]:
        """Everything in a topic now, committed records only."""
        name = self.topic(topic)
        partitions = self.admin.topic(name).partitions
        return list(tail(self.settings, name, partitions=partitions, from_beginning=True, until_end=True))

    def events(self, topic: Topic, **fields: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """The decoded records of a topic whose fields have these values."""
        for record in self.records(topic):
            value = raw_bytes(record.value())
            try:
                decoded = codec.decode(value, topic.records)
            except codec.UndecodableRecord:
                continue
            if all(decoded.record.get(name) == wanted for name, wanted in fields.items()):
                yield decoded.name, decoded.record

    def rows(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Rows of the database."""
        with self.database.transaction() as connection:
            return connection.execute(statement, parameters).fetchall()

    def execute(self, statement: str, *parameters: Any) -> None:
        """Run one statement in the database."""
        with self.database.transaction() as connection:
            connection.execute(statement, parameters)

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.address}/readyz", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False
