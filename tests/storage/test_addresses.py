"""The address of the database: what is wrong with it is said without it."""

import subprocess
import sys

import pytest

from runtime.errors import Fatal
from storage.admin import answers
from storage.connection import Database
from storage.reads import Reads

_MALFORMED = ("postgres//user:the-password@host/db", "postgresql://user:the-password%zz@host/db")


@pytest.mark.parametrize("address", _MALFORMED)
def test_a_malformed_address_is_refused_without_being_repeated(address: str) -> None:
    for use in (lambda: Database(address, application_name="test"), lambda: Reads(address), lambda: answers(address)):
        with pytest.raises(Fatal, match="DATABASE_URL is no address") as refused:
            use()
        assert refused.value.__suppress_context__
        assert "the-password" not in str(refused.value)


@pytest.mark.parametrize("role", ["api", "dedup"])
def test_a_role_that_has_one_says_no_word_of_it(role: str) -> None:
    environment = {"DATABASE_URL": _MALFORMED[0], "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    ended = subprocess.run(
        [sys.executable, "-m", "clonepost", "run", role], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 70
    assert "DATABASE_URL is no address" in ended.stderr
    assert "the-password" not in ended.stdout + ended.stderr
