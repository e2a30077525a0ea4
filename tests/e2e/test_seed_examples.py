"""The three client examples of the API's documentation, verbatim but for host and ids, give the documented answer."""

import json
import os
import re
import shutil
import subprocess
import sys
import uuid

import httpx
import pytest

from tests.e2e.pipeline import Pipeline, Tenant

HOST = "https://api.layers.com"

CURL = """\
curl -X POST https://api.layers.com/v1/content/{newContainerId}/clone-from-post \\
  -H "X-Api-Key: $LAYERS_API_KEY" \\
  -H "Content-Type: application/json" \\
  -H "Idempotency-Key: 8d2f1a3e-0b4c-4a11-9f7e-33c0a2c1bd55" \\
  -d '{
    "projectId": "proj_01HX...",
    "sourcePlatformPostId": "pp_01HX...",
    "mode": "reimagine",
    "variations": 3
  }'
"""

TYPESCRIPT = """\
const newContainerId = crypto.randomUUID();
const res = await fetch(
  `https://api.layers.com/v1/content/${newContainerId}/clone-from-post`,
  {
    method: 'POST',
    headers: {
      'X-Api-Key': process.env.LAYERS_API_KEY!,
      'Content-Type': 'application/json',
      'Idempotency-Key': crypto.randomUUID(),
    },
    body: JSON.stringify({
      projectId,
      sourcePlatformPostId,
      mode: 'fork',
    }),
  },
);
const { jobId, containerId } = await res.json();
"""

PYTHON = """\
import os, uuid, httpx

new_container_id = str(uuid.uuid4())
r = httpx.post(
    f"https://api.layers.com/v1/content/{new_container_id}/clone-from-post",
    headers={
        "X-Api-Key": os.environ["LAYERS_API_KEY"],
        "Content-Type": "application/json",
        "Idempotency-Key": str(uuid.uuid4()),
    },
    json={
        "projectId": project_id,
        "sourcePlatformPostId": source_id,
        "mode": "reimagine",
        "variations": 2,
    },
)
data = r.json()
"""


def run(command: list[str], tenant: Tenant) -> dict[str, str]:
    """The JSON that a client printed."""
    environment = {**os.environ, "LAYERS_API_KEY": tenant.api_key}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    answer: dict[str, str] = json.loads(done.stdout)
    return answer


def check(pipeline: Pipeline, tenant: Tenant, answer: dict[str, str]) -> None:
    """The envelope is the documented one, and its link leads to the job."""
    assert list(answer) == ["jobId", "kind", "status", "containerId", "locationUrl"]
    assert re.fullmatch(r"job_[0-9A-HJKMNP-TV-Z]{26}", answer["jobId"])
    assert re.fullmatch(r"cnt_[0-9A-HJKMNP-TV-Z]{26}", answer["containerId"])
    assert (answer["kind"], answer["status"]) == ("content_clone_from_post", "running")
    assert answer["locationUrl"] == f"/v1/jobs/{answer['jobId']}"
    with pipeline.client(tenant) as client:
        assert client.get(answer["locationUrl"]).status_code == httpx.codes.OK


def test_the_curl_example(pipeline: Pipeline, tenant: Tenant) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed: the curl example was not run")
    script = CURL.replace(HOST, pipeline.address).replace("{newContainerId}", str(uuid.uuid4()))
    script = script.replace("proj_01HX...", str(tenant.project_id)).replace("pp_01HX...", f"pp_{tenant.post_id}")
    check(pipeline, tenant, run(["sh", "-c", script.replace("curl ", "curl -s ", 1)], tenant))


def test_the_typescript_example(pipeline: Pipeline, tenant: Tenant) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: the TypeScript example was not run")
    # Node before 22.6 takes no types; the example's only one is the non-null mark.
    script = TYPESCRIPT.replace(HOST, pipeline.address).replace("LAYERS_API_KEY!", "LAYERS_API_KEY")
    ids = f"const projectId = '{tenant.project_id}', sourcePlatformPostId = '{tenant.post_id}';\n"
    shown = script.replace("const { jobId, containerId } =", "const answer =") + "console.log(JSON.stringify(answer));"
    check(pipeline, tenant, run([node, "--input-type=module", "-e", ids + shown], tenant))


def test_the_python_example(pipeline: Pipeline, tenant: Tenant) -> None:
    script = PYTHON.replace(HOST, pipeline.address)
    ids = f"project_id, source_id = '{tenant.project_id}', '{tenant.post_id}'\n"
    check(pipeline, tenant, run([sys.executable, "-c", ids + script + "print(r.text)"], tenant))
