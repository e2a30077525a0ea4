"""The command line on the test's own database."""

from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from clonepost.cli import app
from runtime.errors import ClonepostError

Run = Callable[..., Result]


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `clonepost` with these arguments; `stdin` is what is piped in. Unexpected errors fail the test."""
    monkeypatch.setenv("DATABASE_URL", database_url)

    def run(*arguments: str, stdin: bytes | str = b"") -> Result:
        result = CliRunner().invoke(app, list(arguments), input=stdin)
        if result.exception is not None and not isinstance(result.exception, ClonepostError | SystemExit):
            raise result.exception
        return result

    return run


def complaint(result: Result) -> str:
    """What the command says is wrong, as `main` prints it."""
    assert isinstance(result.exception, ClonepostError), result.output
    return str(result.exception)
