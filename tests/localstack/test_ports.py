"""Ports: the usual one, the last one, any one; never one that another stack has chosen."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from clonepost.localstack.ports import PortLeases, free_port
from runtime.errors import ClonepostError


@pytest.fixture
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def first(tmp_path: Path) -> Iterator[PortLeases]:
    leases = PortLeases(tmp_path)
    yield leases
    leases.release()


@pytest.fixture
def second(tmp_path: Path) -> Iterator[PortLeases]:
    """Of another stack of the same user."""
    leases = PortLeases(tmp_path)
    yield leases
    leases.release()


def test_takes_the_first_free_one(first: PortLeases, listening: int) -> None:
    wanted = free_port()
    assert first.take([listening, wanted]) == wanted


def test_takes_another_when_all_are_taken(first: PortLeases, listening: int) -> None:
    taken = first.take([listening])
    assert taken != listening
    assert taken > 0


def test_two_stacks_that_start_at_once_never_pick_the_same(first: PortLeases, second: PortLeases) -> None:
    wanted = free_port()
    # Nothing listens yet: only the lease keeps them apart.
    assert first.take([wanted]) == wanted
    assert second.take([wanted]) != wanted
    first.release()
    assert second.take([wanted]) == wanted


def test_a_port_that_was_asked_for_by_number_is_given_or_refused(
    first: PortLeases, second: PortLeases, listening: int
) -> None:
    wanted = free_port()
    assert first.take_exactly(wanted) == wanted
    for taken in (wanted, listening):
        with pytest.raises(ClonepostError, match=rf"port {taken} is taken: choose another with --port"):
            second.take_exactly(taken)
