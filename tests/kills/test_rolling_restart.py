"""A rolling restart of every role while partners of every kind ask: no request fails, and nothing is half done."""

import json
import tempfile
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from bench.checker.history import read_history
from clonepost.localstack.home import Home, StackState
from clonepost.localstack.supervisor import Options, Supervisor
from clonepost.roles import ROLES
from runtime.settings import Settings
from storage.admin import create_database, drop_database
from tests.awaiting import eventually
from tests.conftest import test_settings
from tests.e2e.pipeline import Pipeline
from tests.kills.trial import hire, trial
from tests.servers import TEMPLATE, database_at

pytestmark = pytest.mark.slow

KEEPS_ALIVE = (True, True, False, False)
NAMES = [*(role.name for role in ROLES), "api-2"]


@dataclass(frozen=True, slots=True)
class Rolled:
    """What is left of a system whose roles were restarted one by one, and which was then stopped."""

    state: StackState
    """After the restart."""
    logs: dict[str, str]
    posts: list[int | None]
    """The status of every POST; None where no answer came."""
    impatient: list[int | str]
    """The same, of partners that repeat nothing."""


@pytest.fixture(scope="module")
def system(kafka: str, postgres: str) -> Iterator[Settings]:
    """A database of the module's own, and a prefix for the topics that the supervisor makes."""
    name, prefix = f"rolled_{uuid.uuid4().hex[:12]}", f"r{uuid.uuid4().hex[:8]}."
    create_database(postgres, name, template=TEMPLATE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLONEPOST_TOPIC_PREFIX", prefix)
        yield test_settings(kafka, database_at(postgres, name), prefix)
    drop_database(postgres, name)


@pytest.fixture(scope="module")
def rolled(system: Settings, tmp_path_factory: pytest.TempPathFactory) -> Rolled:
    """Every role is restarted under load; then the system drains, and the checker finds everything in order."""
    folder = tmp_path_factory.mktemp("rolled")
    pipeline = Pipeline(system, folder, {"CLONEPOST_RENDER": "false"})
    with tempfile.TemporaryDirectory(prefix="cp-") as short, ThreadPoolExecutor(1 + len(KEEPS_ALIVE)) as pool:
        home, over = Home(Path(short)), threading.Event()
        options = Options(pipeline.environment, http_port=pipeline.port, api_processes=2)
        supervisor = Supervisor(home, options, lambda _: None)
        try:
            tenants = hire(pipeline, seed=6)
            impatient = Impatient(pipeline, over)
            supervisor.start()
            pool.submit(supervisor.watch)
            with trial(pipeline, tenants, folder, seed=6) as history:
                asking = [pool.submit(impatient.run, keep_alive) for keep_alive in KEEPS_ALIVE]
                supervisor.request_roll()
                state = eventually(lambda: rolled_once(home), what="every role is restarted")
                over.set()
                for one in asking:
                    one.result()
        finally:
            over.set()
            supervisor.stop()
            pipeline.close()
        logs = {name: (home.logs / f"{name}.log").read_text() for name in NAMES}
    return Rolled(state, logs, [post.status for post in read_history(history).posted], impatient.answers)


class Impatient:
    """Partners that repeat nothing. Some keep their connection as long as the server does, some never use one twice."""

    def __init__(self, pipeline: Pipeline, over: threading.Event) -> None:
        self.answers: list[int | str] = []
        """The status of every POST, or what went wrong where no answer came."""
        self._over = over
        self._address = pipeline.address
        # What waits while the roles are restarted is no reason to refuse more of it.
        self._tenant = pipeline.tenant_to_come(running_jobs=1_000_000)

    def run(self, keep_alive: bool) -> None:
        """Ask until it is over."""
        headers = {"X-Api-Key": self._tenant.api_key, **({} if keep_alive else {"Connection": "close"})}
        with httpx.Client(base_url=self._address, headers=headers, timeout=60, trust_env=False) as client:
            while not self._over.wait(0.1):
                try:
                    answer = client.post(f"/v1/content/{uuid.uuid4()}/clone-from-post", json=self._tenant.body())
                    self.answers.append(answer.status_code)
                except httpx.HTTPError as error:
                    self.answers.append(repr(error))


def rolled_once(home: Home) -> StackState | None:
    state = home.read()
    return state if state is not None and state.rolls == 1 else None


def test_every_post_is_answered_for_good_at_once(rolled: Rolled) -> None:
    assert rolled.state.roll_failure is None
    assert {(process.state, process.restarts) for process in rolled.state.processes} == {("running", 0)}
    assert len(rolled.posts) > 100
    # Accepted, or refused by a rule.
    assert set(rolled.posts) <= {202, 402, 404, 409, 422}
    assert len(rolled.impatient) > 50
    assert set(rolled.impatient) == {202}


@pytest.mark.parametrize("name", NAMES)
def test_a_role_that_is_asked_to_stop_under_load_ends_by_itself_and_in_time(rolled: Rolled, name: str) -> None:
    lines = [json.loads(line) for line in rolled.logs[name].splitlines() if line.startswith("{")]
    events = [line["event"] for line in lines]
    lives = [event for event in events if event in ("role_started", "role_ready", "role_stopped", "role_stopped_late")]
    # Once for the restart, and once at the end.
    assert lives == 2 * ["role_started", "role_ready", "role_stopped"]
    assert not [line for line in lines if line["level"] == "error"]
