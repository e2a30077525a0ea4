"""Plants each defect in a copy of the source tree and runs the test that must catch it, there.

`make planted` plants all of them; `make test` a few, so that the machinery itself is known to work.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.planted.defects import DEFECTS, Defect
from tests.planted.drills import DRILLS
from tests.planted.trees import ROOT, planted_tree, source_tree

_FAILED = 1


def _run(tree: Path, test: str, kafka: str, postgres: str) -> subprocess.CompletedProcess[str]:
    """Run one test of the tree, on this run's servers."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "CLONEPOST_"))}
    ours |= {"PYTHONPATH": str(tree), "CLONEPOST_TEST_KAFKA": kafka, "CLONEPOST_TEST_POSTGRES": postgres}
    # Some defects are caught by what never happens.
    ours["TESTS_BOUND_SECONDS"] = "60"
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", f"--basetemp={tree / 'tmp'}"]
    # All marks: some tests are kept for this alone.
    command += ["-m", "", test]
    return subprocess.run(command, cwd=tree, env=ours, capture_output=True, text=True, check=False)


def test_every_defect_can_be_planted() -> None:
    for defect in DEFECTS:
        source = (ROOT / defect.file).read_text("utf-8")
        for old, new in defect.edits:
            assert source.count(old) == 1, f"{defect.name}: {defect.file} does not have this text once any more:\n{old}"
            assert old != new
    names = {defect.name for defect in DEFECTS}
    assert len(names) == len(DEFECTS) >= 15
    assert set(DRILLS) <= names


@pytest.mark.parametrize(
    "defect",
    [
        pytest.param(defect, id=defect.name, marks=pytest.mark.slow if defect.quick else pytest.mark.slow_planted)
        for defect in DEFECTS
    ],
)
def test_a_planted_defect_is_caught(defect: Defect, tmp_path: Path, kafka: str, postgres: str) -> None:
    tree = planted_tree(tmp_path / "tree", defect)
    done = _run(tree, defect.caught_by, kafka, postgres)
    # A test that ran and failed, not one that could not run.
    assert done.returncode == _FAILED, f"not caught:\n{done.stdout[-3_000:]}{done.stderr[-1_000:]}"
    assert "1 failed" in done.stdout, f"did not run:\n{done.stdout[-3_000:]}"
    assert "error" not in done.stdout.splitlines()[-1], f"did not run:\n{done.stdout[-3_000:]}"
    print(_why(done.stdout))


@pytest.mark.slow_planted
@pytest.mark.parametrize("test", sorted({defect.caught_by for defect in DEFECTS}))
def test_what_catches_it_passes_without_it(test: str, tmp_path: Path, kafka: str, postgres: str) -> None:
    done = _run(source_tree(tmp_path / "tree"), test, kafka, postgres)
    assert done.returncode == 0, done.stdout[-3_000:]


def _why(output: str) -> str:
    """The lines of the failure that say what was wrong."""
    lines = output.splitlines()
    broken = [number for number, line in enumerate(lines) if " BROKEN " in line]
    told = [line for number in broken for line in lines[number : number + 3]] or [
        line for line in lines if line.startswith("E  ")
    ][:4]
    return "\n".join(line.strip()[:300] for line in told)
