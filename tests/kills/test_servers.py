"""The broker and the database are killed or away under load; then the checker. Tests f, g and i of the twelve."""

import signal
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final

import httpx
import pytest

from bench.checker import read_history
from bench.checker.history import now_seconds
from bench.load.plan import WEIGHTS
from clonepost.roles import ROLES
from clonepost.run.process import STOP_SECONDS
from runtime.errors import DatabaseUnavailable
from schemas.topics import DEAD_LETTERS
from storage.admin import create_database
from tests.awaiting import eventually
from tests.conftest import test_settings
from tests.kills.conftest import IMPATIENT
from tests.kills.forked import KilledPipeline
from tests.kills.own_servers import OwnServer, OwnServers, own_servers
from tests.kills.proxy import END_TXN
from tests.kills.trial import hire, trial
from tests.servers import TEMPLATE, database_at
from tests.topics import make_topics

pytestmark = pytest.mark.slow

OUTAGE_SECONDS: Final = 20.0
HASTY: Final = {**IMPATIENT, "CLONEPOST_LEASE_SECONDS": "1"}
"""So that the outage is as long as twenty leases."""


@pytest.fixture(scope="module")
def servers() -> Iterator[OwnServers]:
    """Servers of this module's own."""
    with tempfile.TemporaryDirectory(prefix="cp-") as folder:
        # The database server runs as a user of its own when we are root.
        Path(folder).chmod(0o755)
        with own_servers(Path(folder)) as servers:
            yield servers


@pytest.fixture
def own(servers: OwnServers, tmp_path: Path) -> Iterator[KilledPipeline]:
    """A pipeline on them; no process runs yet."""
    name = f"own_{uuid.uuid4().hex[:12]}"
    create_database(servers.postgres_url, name, template=TEMPLATE)
    url = database_at(servers.postgres_url, name)
    settings = test_settings(servers.bootstrap_servers, url, f"o{uuid.uuid4().hex[:8]}.")
    make_topics(settings)
    pipeline = KilledPipeline(settings, tmp_path, HASTY)
    yield pipeline
    pipeline.close()


def _grown(own: KilledPipeline) -> None:
    """Wait until more jobs have ended than now."""

    def ended() -> int:
        own.supervise()
        with suppress(DatabaseUnavailable):
            return int(own.rows("SELECT count(*) FROM jobs WHERE status <> 'running'")[0][0])
        return 0

    before = eventually(lambda: ended() + 1, what="the database answers") - 1
    eventually(lambda: ended() > before + 20, what="twenty more jobs end")


def test_a_broker_and_a_database_that_are_killed_lose_nothing(
    servers: OwnServers, own: KilledPipeline, tmp_path: Path
) -> None:
    tenants = hire(own, seed=4)
    for role in ROLES:
        own.fork(role.name)
    with trial(own, tenants, tmp_path, seed=4):
        for server in (servers.kafka, servers.postgres):
            _grown(own)
            server.kill()
            server.start()
        _grown(own)


def test_g_an_outage_of_twenty_leases_looks_like_no_crash(
    servers: OwnServers, own: KilledPipeline, tmp_path: Path
) -> None:
    tenants = hire(own, seed=7)
    for role in ROLES:
        own.fork(role.name)
    with trial(own, tenants, tmp_path, seed=7, weights={**WEIGHTS, "poison": 0}) as history:
        _grown(own)
        before = _losses(own)
        servers.postgres.stop()
        away_at = now_seconds()
        # The outage's length is what is tried here: nothing is waited for.
        threading.Event().wait(OUTAGE_SECONDS)
        back_at = now_seconds()
        servers.postgres.start()
        _grown(own)
        after = _losses(own)
    posts = [post for post in read_history(history).posted if post.started_at > away_at and post.ended_at < back_at]
    # A malformed one is refused without anybody's help.
    assert {post.status for post in posts} <= {202, 422}
    assert len(posts) > 20
    assert own.records(DEAD_LETTERS) == []
    # With leases of a second, a busy machine costs some without any outage.
    assert max(after[variation] - lost for variation, lost in before.items()) <= 1


def test_f_a_job_that_was_taken_without_postgres_is_never_unknown(servers: OwnServers, own: KilledPipeline) -> None:
    own.fork("api")
    own.await_ready()
    tenant = own.tenant()
    dedup = own.fork("dedup")
    with own.client(tenant) as client:
        servers.postgres.stop()
        taken = client.post(f"/v1/content/{uuid.uuid4()}/clone-from-post", json=tenant.body())
        assert taken.status_code == 202
        path = f"/v1/jobs/{taken.json()['jobId']}"
        assert client.get(path).status_code == 503
        dedup.ask_to_stop()
        dedup.await_stop(15)
        servers.postgres.start()
        eventually(lambda: client.get("/v1/whoami").status_code == 200, what="reads come back")
        assert {_status(client, path) for _ in range(3)} == {503}
        own.fork("dedup")
        seen = {503}

        def known() -> bool:
            seen.add(_status(client, path))
            return 200 in seen

        eventually(known, what="the job is known")
        assert seen == {503, 200}


def test_i_relays_that_freeze_die_and_hear_no_answer_publish_each_event_once(
    servers: OwnServers, own: KilledPipeline, tmp_path: Path
) -> None:
    tenants = hire(own, seed=9)
    for role in ("api", "dedup", "generate", "project"):
        own.fork(role)
    first = own.fork("relay-a", "relay", CLONEPOST_FAILPOINTS="relay.publish=stop@2")
    with trial(own, tenants, tmp_path, seed=9):
        eventually(lambda: '"at": "relay.publish"' in own.log("relay-a"), what="the leader freezes")
        own.fork("relay-b", "relay")
        # Else Postgres would do it, after a minute of silence.
        own.execute(
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()
               AND application_name = 'clonepost-relay' AND state = 'idle in transaction'"""
        )
        eventually(lambda: '"event": "relayed"' in own.log("relay-b"), what="the other one leads and publishes")
        first.send(signal.SIGCONT)
        eventually(lambda: '"event": "relay_stalled"' in own.log("relay-a"), what="the first one is fenced")
        for cut in (True, False):
            lost = servers.proxy.lose_answer(END_TXN, cut=cut)
            eventually(lost.is_set, what="the answer to an EndTxn is lost")
            _relayed(own)
        for name in ("relay-a", "relay-b"):
            own.processes[name].ask_to_stop()
            own.processes.pop(name).await_stop(15)
        victim = own.fork("relay-a", "relay", CLONEPOST_FAILPOINTS="relay.mark=kill@2")
        eventually(lambda: victim.ended_by == -signal.SIGKILL, what="a leader dies before it marks")
        own.fork("relay-a", "relay")
        _relayed(own)


@pytest.mark.parametrize("name", ["kafka", "postgres"])
def test_every_role_that_is_asked_to_stop_ends_by_itself_and_in_time_though_a_server_is_frozen(
    servers: OwnServers, own: KilledPipeline, name: str
) -> None:
    frozen: OwnServer = getattr(servers, name)
    for role in ROLES:
        own.fork(role.name)
    own.await_ready()
    tenant = own.tenant()

    def ask() -> None:
        with suppress(httpx.HTTPError), own.client(tenant) as client:
            while not over.is_set():
                client.post(f"/v1/content/{uuid.uuid4()}/clone-from-post", json=tenant.body())

    over = threading.Event()
    with ThreadPoolExecutor(4) as partners:
        for _ in range(4):
            partners.submit(ask)
        try:
            _relayed(own)
            frozen.freeze()
            for process in own.processes.values():
                process.ask_to_stop()
            asked_at = time.monotonic()
            for process in own.processes.values():
                process.await_stop(60)
            took_seconds = time.monotonic() - asked_at
        finally:
            over.set()
            frozen.thaw()
    assert {name: process.ended_by for name, process in own.processes.items()} == dict.fromkeys(own.processes, 0)
    assert took_seconds < STOP_SECONDS
    if name == "kafka":
        assert own.rows("SELECT count(*), sum(losses) FROM variations WHERE state = 'leased'") == [(0, None)]


def _losses(own: KilledPipeline) -> dict[tuple[uuid.UUID, int], int]:
    """How many leases each variation has lost."""
    return {
        (job, index): lost for job, index, lost in own.rows("SELECT job_id, variation_index, losses FROM variations")
    }


def _relayed(own: KilledPipeline) -> None:
    """Wait until more events are marked than now."""
    marked = "SELECT count(*) FROM outbox WHERE published_at IS NOT NULL"
    [(before,)] = own.rows(marked)
    eventually(lambda: own.rows(marked)[0][0] > before + 5, what="five more events are published")


def _status(client: httpx.Client, path: str) -> int:
    return client.get(path).status_code
