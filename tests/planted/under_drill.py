"""Plants defects in copies of the source tree and runs a drill on each: is it caught by the drill alone, and how fast?

    python -m tests.planted.under_drill "settled twice" "the dead letter is dropped"

Without names all of them; one line each, as Markdown. Each has a drill of its own (tests.planted.drills), which the
options change. Not a test: a drill takes minutes, and chance has a say in it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.planted.defects import DEFECTS, Defect
from tests.planted.drills import DRILLS, USUAL, DrillOptions
from tests.planted.trees import planted_tree


def main() -> None:
    """Run the drills one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="defects; all without")
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--faults")
    arguments = parser.parse_args()
    given = {name: value for name, value in vars(arguments).items() if name != "names" and value is not None}
    known = {defect.name: defect for defect in DEFECTS}
    if unknown := set(arguments.names) - known.keys():
        parser.error(f"there is no defect {', '.join(sorted(unknown))}")
    for defect in [known[name] for name in arguments.names] or DEFECTS:
        options = replace(DRILLS.get(defect.name, USUAL), **given)
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="clonepost-planted-") as folder:
            tree = planted_tree(Path(folder) / "tree", defect)
            found = _drill(tree, options)
        sys.stdout.write(f"| {_row(defect, found, time.monotonic() - started)} | {' '.join(options.words())} |\n")
        sys.stdout.flush()


def _drill(tree: Path, options: DrillOptions) -> dict[str, Any] | None:
    """What the drill told; None when it could not run."""
    done = subprocess.run(
        [sys.executable, "-m", "clonepost", "drill", *options.words(), "--json"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        stdout=subprocess.PIPE,
        check=False,
    )
    return json.loads(done.stdout) if done.stdout else None


def _row(defect: Defect, found: dict[str, Any] | None, seconds: float) -> str:
    if found is None:
        return f"{defect.name} | the drill did not run | {seconds:.0f} s | "
    broken = {one["number"]: one for one in found["checker"]["invariants"] if one["broken"]}
    told = next((one["violations"][0] for one in broken.values() if one["violations"]), None)
    what = f"invariants {', '.join(map(str, broken))}" if broken else ""
    if found["crashes"]:
        what += f"{'; ' if what else ''}processes ended: {found['crashes']}"
    if found["deadlocks"]:
        what += f"{'; ' if what else ''}{found['deadlocks']} deadlocks"
    return f"{defect.name} | {what or 'not caught'} | {seconds:.0f} s | {told or ''}"


if __name__ == "__main__":
    main()
