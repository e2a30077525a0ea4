"""404 or not yet: unknown is only what was unknown once every earlier request had been decided."""

import asyncio
import contextlib
import uuid

import psycopg
import pytest

from producer.read.coalesced import Coalesced
from producer.read.lookup import EndOffsetReader
from runtime.errors import BrokerUnavailable, DatabaseUnavailable
from runtime.kafka_admin import KafkaAdmin
from runtime.publishing import Outgoing, Publisher
from runtime.settings import Settings
from schemas.ids import format_id
from schemas.topics import REQUESTS
from tests.builders import Rows
from tests.growth import grow
from tests.read.conftest import Api, CountedReads, serving
from tests.read.happening import happens

pytestmark = pytest.mark.anyio

PATHS = ("/v1/jobs/{}", "/v1/jobs/{}/events", "/v1/content/{}", "/v1/content/{}/progress")


@pytest.mark.parametrize("path", PATHS)
async def test_unknown_is_404_once_everything_earlier_is_decided(api: Api, rows: Rows, path: str) -> None:
    key = rows.key(rows.organization())
    api.ends.offsets = {0: 3, 1: 5}
    rows.decided(0, 3)
    rows.decided(1, 7)
    answer = await api.get(path.format(uuid.uuid4()), key)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("behind", ["one partition is behind", "one partition was never read"])
async def test_unknown_is_503_while_one_partition_is_behind(api: Api, rows: Rows, path: str, behind: str) -> None:
    key = rows.key(rows.organization())
    api.ends.offsets = {0: 3, 1: 5}
    rows.decided(0, 3)
    if behind == "one partition is behind":
        rows.decided(1, 4)
    answer = await api.get(path.format(uuid.uuid4()), key)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "UNAVAILABLE")
    assert int(answer.headers["retry-after"]) >= 1


async def test_unknown_is_503_while_the_broker_does_not_tell_of_a_partition_that_was_read(api: Api, rows: Rows) -> None:
    key = rows.key(rows.organization())
    api.ends.offsets = {0: 3}
    rows.decided(0, 3)
    rows.decided(1, 7)
    answer = await api.get(f"/v1/jobs/{uuid.uuid4()}", key)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "UNAVAILABLE")


async def test_what_was_decided_of_a_topic_that_was_made_anew_says_nothing_of_the_new_one(api: Api, rows: Rows) -> None:
    key = rows.key(rows.organization())
    api.ends.offsets = {0: 3}
    rows.decided(0, 3)
    assert (await api.get(f"/v1/jobs/{uuid.uuid4()}", key)).status_code == 404
    api.ends.topic_id = uuid.uuid4()
    answer = await api.get(f"/v1/jobs/{uuid.uuid4()}", key)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "UNAVAILABLE")


async def test_a_job_that_is_accepted_while_one_asks_is_found(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    key, job_id = rows.key(brand.org_id), uuid.uuid4()
    await api.get("/v1/whoami", key)
    api.ends.offsets = {0: 1, 1: 9}
    asking = asyncio.create_task(api.get(f"/v1/jobs/{job_id}", key))
    await happens(lambda: api.reads.progress_read > 0, what="somebody asks how far dedup is")
    rows.job(brand, job_id=job_id)
    rows.decided(0, 1)
    answer = await asking
    assert (answer.status_code, answer.json()["jobId"]) == (200, format_id("job", job_id))


async def test_a_container_that_is_accepted_while_one_asks_is_found(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    key, container_id = rows.key(brand.org_id), uuid.uuid4()
    await api.get("/v1/whoami", key)
    api.ends.offsets = {0: 1, 1: 9}
    asking = asyncio.create_task(api.get(f"/v1/content/{container_id}", key))
    await happens(lambda: api.reads.progress_read > 0, what="somebody asks how far dedup is")
    rows.job(brand, container_id=container_id, variations=2)
    rows.decided(0, 1)
    answer = await asking
    assert (answer.status_code, len(answer.json()["variations"])) == (200, 2)


async def test_what_was_decided_between_the_first_look_and_the_ends_is_found(api: Api, rows: Rows) -> None:
    brand, job_id = rows.brand(), uuid.uuid4()
    key = rows.key(brand.org_id)
    await api.get("/v1/whoami", key)

    async def decide() -> None:
        rows.job(brand, job_id=job_id)
        rows.decided(0, 1)

    api.ends.offsets, api.ends.before_answering = {0: 1}, decide
    assert (await api.get(f"/v1/jobs/{job_id}", key)).status_code == 200


async def test_unknown_is_503_when_no_broker_says_where_the_requests_end(api: Api, rows: Rows) -> None:
    brand = rows.brand()
    key, job = rows.key(brand.org_id), rows.job(brand)
    api.ends.offsets = None
    unknown = await api.get(f"/v1/jobs/{uuid.uuid4()}", key)
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (503, "UNAVAILABLE")
    assert "retry-after" in unknown.headers
    # What is known needs no broker.
    assert (await api.get(f"/v1/jobs/{job.job_id}", key)).status_code == 200


async def test_who_asks_at_once_shares_the_questions(api: Api, rows: Rows) -> None:
    key = rows.key(rows.organization())
    await api.get("/v1/whoami", key)
    looked = asyncio.Event()
    api.ends.before_answering = looked.wait
    asking = [asyncio.create_task(api.get(f"/v1/jobs/{uuid.uuid4()}", key)) for _ in range(50)]
    await happens(lambda: api.reads.refusals_read == 50, what="everybody has looked once")
    looked.set()
    answers = await asyncio.gather(*asking)
    # 503 where the machine is so busy that the second was over first.
    assert {answer.status_code for answer in answers} <= {404, 503}
    # One was under way when the others came, one is for all of them.
    assert api.ends.asked <= 2


async def test_an_answer_is_never_older_than_its_question() -> None:
    begun, release = 0, asyncio.Event()

    async def read() -> int:
        nonlocal begun
        begun += 1
        mine = begun
        await release.wait()
        return mine

    ask = Coalesced(read)
    first = asyncio.create_task(ask())
    await happens(lambda: begun == 1, what="the first read begins")
    later = [asyncio.create_task(ask()) for _ in range(10)]
    release.set()
    assert await first == 1
    assert set(await asyncio.gather(*later)) == {2}
    assert begun == 2


async def test_a_failed_read_fails_those_who_shared_it_and_nobody_else() -> None:
    outcomes: list[ValueError | int] = [ValueError("first"), 2]

    async def read() -> int:
        outcome = outcomes.pop(0)
        if isinstance(outcome, ValueError):
            raise outcome
        return outcome

    ask = Coalesced(read)
    shared = await asyncio.gather(ask(), ask(), return_exceptions=True)
    assert [type(answer) for answer in shared] == [ValueError, ValueError]
    assert await ask() == 2


async def test_the_ends_are_those_of_the_broker(settings: Settings) -> None:
    admin, topic = KafkaAdmin(settings), settings.topic_prefix + REQUESTS.name
    read = EndOffsetReader(lambda: admin.ends(topic))

    async def ends() -> dict[int, int]:
        # A broker may still hand the leadership of a new topic around: then nobody can say.
        for _ in range(100):
            with contextlib.suppress(BrokerUnavailable):
                return (await read()).offsets
            await asyncio.sleep(0.05)
        raise AssertionError("the broker never said where the requests end")

    assert await ends() == dict.fromkeys(range(REQUESTS.partitions), 0)
    Publisher(settings).publish([Outgoing(topic=topic, key=b"k", value=b"v", headers=[]) for _ in range(3)])
    assert sorted((await ends()).values()) == [0, 0, 0, 0, 0, 3]


async def test_a_partition_that_was_added_after_the_start_counts(api: Api, rows: Rows, settings: Settings) -> None:
    key, topic = rows.key(rows.organization()), settings.topic_prefix + REQUESTS.name
    admin = KafkaAdmin(settings)
    read = EndOffsetReader(lambda: admin.ends(topic))

    async def look() -> None:
        # A broker that still hands leadership around cannot say; that is not what is asked here.
        for _ in range(100):
            with contextlib.suppress(BrokerUnavailable):
                api.ends.offsets = (await read()).offsets
                return
            await asyncio.sleep(0.05)

    api.ends.before_answering = look
    assert (await api.get(f"/v1/jobs/{uuid.uuid4()}", key)).status_code == 404
    added = REQUESTS.partitions
    await asyncio.to_thread(grow, settings, topic, added + 1)
    await asyncio.to_thread(Publisher(settings).publish, [Outgoing(topic, b"k", b"v", partition=added)])
    answer = await api.get(f"/v1/jobs/{uuid.uuid4()}", key)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "UNAVAILABLE")
    rows.decided(added, 1)
    assert (await api.get(f"/v1/jobs/{uuid.uuid4()}", key)).status_code == 404


async def test_without_postgres_a_read_is_503_and_the_keys_go_on_working(api: Api, rows: Rows) -> None:
    key = rows.key(rows.organization())
    await api.get("/v1/whoami", key)
    async with serving(CountedReads("postgresql://nobody@127.0.0.1:1/nothing")) as cut_off:
        cut_off.keys.replace(await api.reads.keys())
        for path in ("/v1/whoami", "/v1/credits", "/v1/jobs", *(path.format(uuid.uuid4()) for path in PATHS)):
            answer = await cut_off.get(path, key)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "UNAVAILABLE"), path
            assert "retry-after" in answer.headers


async def test_a_frozen_postgres_is_given_up_and_served_again_afterwards(
    api: Api, rows: Rows, database_url: str
) -> None:
    brand = rows.brand()
    key, job = rows.key(brand.org_id), rows.job(brand)
    path = f"/v1/jobs/{job.job_id}"
    assert (await api.get(path, key)).status_code == 200
    with psycopg.connect(database_url) as blocker:
        blocker.execute("LOCK TABLE claims IN ACCESS EXCLUSIVE MODE")
        # It is the read that gives up, not the server, whose own time limits a frozen one would not keep.
        with pytest.raises(DatabaseUnavailable, match="no answer within"):
            await api.reads.job(brand.org_id, job.job_id)
        stalled = await asyncio.gather(*(api.get(path, key) for _ in range(8)))
        assert {answer.status_code for answer in stalled} == {503}
    assert (await api.get(path, key)).status_code == 200
