"""`clonepost preview` needs no services and shows what a clone would be."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from clonepost import cli
from runtime.errors import ClonepostError
from tests.generation.orders import SOURCE
from tests.generation.world import BRAND


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    source, brand = tmp_path / "source.json", tmp_path / "brand.json"
    source.write_text(json.dumps(SOURCE))
    brand.write_text(json.dumps(BRAND))
    return str(source), str(brand)


def preview(*arguments: str) -> Any:
    return CliRunner().invoke(cli.app, ["preview", *arguments], catch_exceptions=False)


def test_three_reimaginings_side_by_side(files: tuple[str, str]) -> None:
    source, brand = files
    shown = preview(source, "--brand", brand, "--mode", "reimagine", "--variations", "3")
    assert shown.exit_code == 0
    assert "Tap the link to meet Luma" in shown.output
    found = json.loads(preview(source, "--brand", brand, "--mode", "reimagine", "--variations", "3", "--json").output)
    assert len({one["hook"] for one in found}) == 3
    assert {one["durationMs"] > 0 for one in found} == {True}


def test_a_project_line_is_as_good_as_its_brand(files: tuple[str, str], tmp_path: Path) -> None:
    source, brand = files
    project = tmp_path / "project.json"
    project.write_text(json.dumps({"type": "project", "brand": BRAND}))
    assert (
        preview(source, "--brand", str(project), "--json").output == preview(source, "--brand", brand, "--json").output
    )


def test_a_language_that_is_not_written_is_shown_as_such(files: tuple[str, str]) -> None:
    source, brand = files
    assert "LANGUAGE_UNSUPPORTED" in preview(source, "--brand", brand, "--language", "ja").output


@pytest.mark.parametrize(
    ("brand", "problem"),
    [('{"benefits": "one"}', "benefits"), ("[]", "one JSON object"), ("{", "not JSON"), ('{"nme": "x"}', "nme")],
)
def test_a_mistake_in_a_file_is_named(files: tuple[str, str], tmp_path: Path, brand: str, problem: str) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text(brand)
    with pytest.raises(ClonepostError, match=problem):
        preview(files[0], "--brand", str(wrong))
