"""What a proxy does to a connection, against a real Postgres through its socket."""

from collections.abc import Iterator
from contextlib import ExitStack, closing

import psycopg
import pytest

from bench.drill.links import Link, Links, Mode, Upstream
from bench.drill.protocols import CommitWatch
from clonepost.localstack.ports import free_port
from runtime.settings import Settings
from tests.awaiting import eventually

NAME = "a:postgres"


@pytest.fixture
def links() -> Iterator[Links]:
    """No proxy yet."""
    links = Links()
    yield links
    links.close()


@pytest.fixture
def connections() -> Iterator[ExitStack]:
    """What is entered here is closed."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def url(settings: Settings, links: Links) -> str:
    """The test's database behind a proxy."""
    parameters = psycopg.conninfo.conninfo_to_dict(settings.database_url.get_secret_value())
    host, port = str(parameters["host"]), int(parameters.get("port") or 5432)
    upstream = Upstream(path=f"{host}/.s.PGSQL.{port}") if host.startswith("/") else Upstream(port=port)
    links.open(Link(NAME, free_port(), upstream, CommitWatch))
    parameters |= {"host": "127.0.0.1", "port": links.by_name[NAME].port, "sslmode": "disable"}
    return psycopg.conninfo.make_conninfo("", **parameters, gssencmode="disable")


def numbers(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        return [number for (number,) in connection.execute("SELECT number FROM seen ORDER BY number")]


def make_table(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE seen (number int)")


def test_it_passes_everything_on(url: str) -> None:
    make_table(url)
    with psycopg.connect(url) as connection:
        connection.cursor().executemany("INSERT INTO seen VALUES (%s)", [(number,) for number in range(10_000)])
        (text,) = connection.execute("SELECT repeat('x', 3000000)").fetchone() or ("",)
    assert numbers(url) == list(range(10_000))
    assert len(text) == 3_000_000


def test_a_commit_s_answer_is_lost_and_the_commit_is_not(url: str, links: Links, connections: ExitStack) -> None:
    make_table(url)
    connection = connections.enter_context(closing(psycopg.connect(url)))
    connection.execute("INSERT INTO seen VALUES (1)")
    links.lose(NAME, "cut")
    with pytest.raises(psycopg.OperationalError):
        connection.commit()
    assert links.by_name[NAME].lost_answers == 1
    assert numbers(url) == [1]


@pytest.mark.parametrize(
    ("mode", "lost", "arrived"), [("half-open", "answer", [2]), ("drop", "request", [])], ids=["half-open", "drop"]
)
def test_a_link_loses_what_is_under_way_and_is_reset_at_the_end(
    url: str, links: Links, connections: ExitStack, mode: Mode, lost: str, arrived: list[int]
) -> None:
    make_table(url)
    connection = connections.enter_context(closing(psycopg.connect(url, autocommit=True)))
    links.set(NAME, mode)
    connection.pgconn.send_query(b"INSERT INTO seen VALUES (2)")
    eventually(lambda: any(one.doomed for one in links.by_name[NAME].connections), what=f"the {lost} was lost")
    links.set(NAME, "pass")
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    assert numbers(url) == arrived


def test_a_reset_ends_what_is_there_and_nothing_after(url: str, links: Links, connections: ExitStack) -> None:
    connection = connections.enter_context(closing(psycopg.connect(url, autocommit=True)))
    connection.execute("SELECT 1")
    links.reset(NAME)
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    with psycopg.connect(url) as another:
        another.execute("SELECT 1")
