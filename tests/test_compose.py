"""docker-compose.yml says the same as the table of roles, and is a valid Compose file.

No engine is needed: the file is held against the published schema of the Compose specification, which the
`check-jsonschema` package ships.
"""

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError

from clonepost.roles import ROLES, Role
from runtime.settings import Settings

_ROOT: Final = Path(__file__).parent.parent
_SERVERS: Final = {"kafka", "postgres"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((_ROOT / "docker-compose.yml").read_text("utf-8"))
    return loaded


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    pytest.importorskip("check_jsonschema", reason="run `make setup`: check-jsonschema brings the Compose schema")
    schema = files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    return Draft202012Validator(json.loads(schema.read_text("utf-8")))


def test_is_a_valid_compose_file(compose: dict[str, Any], validator: Draft202012Validator) -> None:
    validator.validate(compose)


def test_the_schema_refuses_what_is_wrong(compose: dict[str, Any], validator: Draft202012Validator) -> None:
    misspelt = {**compose, "services": {**compose["services"], "api": {"image": "clonepost", "comand": ["run", "api"]}}}
    with pytest.raises(ValidationError):
        validator.validate(misspelt)


def test_runs_the_roles_of_the_table_and_no_other(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {role.name for role in ROLES} | _SERVERS | {"prepare"}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_a_role_is_started_as_the_supervisor_starts_it(compose: dict[str, Any], role: Role) -> None:
    service = compose["services"][role.name]
    assert service["command"] == list(role.arguments)
    assert service.get("deploy", {}).get("replicas", 1) == role.processes
    assert service["depends_on"] == {"prepare": {"condition": "service_completed_successfully"}}
    if role.ready_path is None:
        assert "healthcheck" not in service
    else:
        assert role.ready_path in service["healthcheck"]["test"][-1]


def test_no_service_runs_as_root(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"]), name


def test_the_image_is_the_one_that_the_dockerfile_makes(compose: dict[str, Any]) -> None:
    dockerfile = (_ROOT / "Dockerfile").read_text("utf-8")
    ours = [service for name, service in compose["services"].items() if name not in _SERVERS]
    users = re.findall(r"^USER (\S+)$", dockerfile, re.MULTILINE)
    assert {service["user"] for service in ours} == set(users)
    assert len({service["image"] for service in ours}) == 1
    assert 'ENTRYPOINT ["clonepost"]' in dockerfile


def test_every_setting_is_one_that_a_process_reads(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        if name not in _SERVERS:
            unknown = [variable for variable in service["environment"] if not _is_read(variable)]
            assert not unknown, f"{name} sets {unknown}"


def test_no_password_is_written_down() -> None:
    text = (_ROOT / "docker-compose.yml").read_text("utf-8")
    given = re.findall(r"(?:PASSWORD: |clonepost:)(\$\{[^}]*\}|[^\s@]*)", text)
    assert given
    assert all(value.startswith("${POSTGRES_PASSWORD:?") for value in given)


def _is_read(variable: str) -> bool:
    prefix = str(Settings.model_config["env_prefix"])
    names = {field.validation_alias or prefix + name.upper() for name, field in Settings.model_fields.items()}
    return variable in names or variable.startswith("KAFKA_")
