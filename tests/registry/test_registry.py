"""What this system asks of a real registry."""

import contextlib
import copy
import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import schemas
from runtime.errors import Fatal, RegistryUnavailable
from runtime.framing import Framing
from runtime.schema_registry import connect, connect_to_read
from runtime.settings import Settings
from schemas import codec
from schemas.events import EVENT_NAMES, EventName
from schemas.example_records import examples
from tests.awaiting import eventually
from tests.registry.apicurio import Apicurio, running
from tests.registry.conftest import with_registry
from tests.registry.gate import Gate, opened


def framing_of(settings: Settings) -> Framing:
    framing = connect(settings)
    assert framing is not None
    return framing


def framed(number: int, name: EventName) -> bytes:
    return b"\x00" + number.to_bytes(4, "big") + examples(name)[0].single_object[10:]


def test_without_a_url_nothing_is_asked_and_nothing_is_loaded() -> None:
    code = (
        "import sys; from runtime.schema_registry import connect; from runtime.settings import Settings;"
        "assert connect(Settings(kafka={}, schema_registry={})) is None;"
        "assert 'confluent_kafka.schema_registry' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_record_is_registered_under_its_name_and_only_once(apicurio: Apicurio, gate: Gate) -> None:
    framing_of(with_registry(gate.url))
    for name in EVENT_NAMES:
        subject = f"clonepost.events.{name}"
        found = apicurio.ask("GET", f"subjects/{subject}/versions/latest")
        assert json.loads(found["schema"]) == codec.schema_json(name)
        assert apicurio.ask("GET", f"config/{subject}") == {"compatibilityLevel": "FULL_TRANSITIVE"}
    gate.calls.clear()
    framing_of(with_registry(gate.url))
    assert [call for call in gate.calls if "/versions" in call or "/config" in call] == []


def test_records_carry_the_id_that_the_registry_gave(apicurio: Apicurio, gate: Gate) -> None:
    framing = framing_of(with_registry(gate.url))
    for name in EVENT_NAMES:
        sent = framing.outgoing(examples(name)[0].single_object)
        assert sent is not None
        assert apicurio.schema(int.from_bytes(sent[1:5], "big")) == codec.schema_json(name)
    gate.calls.clear()
    for name in EVENT_NAMES:
        for example in examples(name):
            assert framing.incoming(framing.outgoing(example.single_object)) == example.single_object
    assert gate.calls == [], "a record cost a call"


def without_docs(schema: Any) -> Any:
    """The schema as a code generator may leave it: the same records, other text."""
    if isinstance(schema, list):
        return [without_docs(part) for part in schema]
    if isinstance(schema, dict):
        kept = {key: without_docs(part) for key, part in schema.items() if key != "doc"}
        return {**kept, "connect.version": 1} if kept.get("type") == "record" else kept
    return {"type": "string", "avro.java.string": "String"} if schema == "string" else schema


def test_the_same_schema_in_another_client_s_words_is_read(apicurio: Apicurio, gate: Gate) -> None:
    framing = framing_of(with_registry(gate.url))
    number = apicurio.register("team-a-value", without_docs(codec.schema_json("CloneRequested")))
    gate.calls.clear()
    for _ in range(3):
        value = framing.incoming(framed(number, "CloneRequested"))
        assert codec.decode(value, frozenset({"CloneRequested"})).record == examples("CloneRequested")[0].record
    assert len(gate.calls) == 1


def other(**changes: Any) -> dict[str, Any]:
    schema = copy.deepcopy(codec.schema_json("CloneReply"))
    return {**schema, **changes}


@pytest.mark.parametrize(
    "foreign",
    [
        {"type": "record", "name": "Order", "namespace": "shop", "fields": [{"name": "id", "type": "string"}]},
        other(fields=[*codec.schema_json("CloneReply")["fields"], {"name": "x", "type": "int", "default": 0}]),
        other(namespace="somebody.else"),
    ],
)
def test_a_schema_that_is_none_of_ours_is_poison(apicurio: Apicurio, gate: Gate, foreign: dict[str, Any]) -> None:
    framing = framing_of(with_registry(gate.url))
    number = apicurio.register(f"foreign-{foreign['name']}-{len(foreign['fields'])}-{foreign['namespace']}", foreign)
    poison_of(framing, framed(number, "CloneReply"))


def test_an_id_that_the_registry_does_not_know_is_poison(gate: Gate) -> None:
    framing = framing_of(with_registry(gate.url))
    poison_of(framing, framed(2**31 - 5, "CloneReply"))


def poison_of(framing: Framing, value: bytes) -> None:
    assert framing.incoming(value) == value
    with pytest.raises(codec.UndecodableRecord) as poison:
        codec.decode(framing.incoming(value), frozenset(EVENT_NAMES))
    assert poison.value.reason == "UNKNOWN_SCHEMA_ID"


def test_a_registry_that_is_away_is_an_outage_for_new_ids_alone(apicurio: Apicurio, gate: Gate) -> None:
    framing = framing_of(with_registry(gate.url))
    known = examples("CloneReply")[0].single_object
    number = apicurio.register("team-b-value", without_docs(codec.schema_json("CloneReply")))
    sent = framing.outgoing(known)
    gate.close()
    assert framing.incoming(sent) == framing.incoming(known) == known
    with pytest.raises(RegistryUnavailable):
        framing.incoming(framed(number, "CloneReply"))
    with pytest.raises(RegistryUnavailable):
        connect(with_registry(gate.url))
    gate.open()
    assert framing_of(with_registry(gate.url)).incoming(framed(number, "CloneReply")) == known


def test_roles_that_start_together_agree(tmp_path: Path) -> None:
    # A registry of its own: nothing is registered in it yet.
    with running(tmp_path) as fresh, ThreadPoolExecutor(6) as pool:

        def role(_: int) -> Framing:
            found: list[Framing] = []

            def connected() -> bool:
                with contextlib.suppress(RegistryUnavailable):
                    found.append(framing_of(with_registry(fresh.url)))
                return bool(found)

            eventually(connected, what="the role has its ids")
            return found[0]

        framings = list(pool.map(role, range(6)))
        for name in EVENT_NAMES:
            value = examples(name)[0].single_object
            assert len({framing.outgoing(value) for framing in framings}) == 1
            assert fresh.ask("GET", f"subjects/clonepost.events.{name}/versions") == [1]


def test_who_only_looks_registers_nothing(gate: Gate) -> None:
    framing = connect_to_read(with_registry(gate.url))
    assert framing is not None
    assert gate.calls == []


def test_credentials_and_other_settings_reach_the_client(apicurio: Apicurio) -> None:
    with opened(apicurio.url, user_info="svc:s3cret") as guarded:
        given = with_registry(
            guarded.url, SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO="svc:s3cret", SCHEMA_REGISTRY_MAX_RETRIES="1"
        )
        framing_of(given)
        with pytest.raises(Fatal, match="registry refuses") as refused:
            connect(with_registry(guarded.url, SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO="svc:wrong"))
    assert "wrong" not in str(refused.value)
    assert "s3cret" not in repr(given)


def test_a_wrong_path_is_told(gate: Gate) -> None:
    with pytest.raises(Fatal, match="is its path right"):
        connect(with_registry(gate.url + "/nowhere"))


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"SCHEMA_REGISTRY_TIMEOUT": "soon"}, "setting is wrong"),
        ({"SCHEMA_REGISTRY_NO_SUCH_THING": "1"}, "no.such.thing"),
        ({"SCHEMA_REGISTRY_BASIC_AUTH_USER_INFO": "svc"}, "basic.auth.user.info"),
        ({"SCHEMA_REGISTRY_SSL_CA_LOCATION": "/nowhere/ca.pem"}, "setting is wrong"),
        ({"SCHEMA_REGISTRY_URL": "svc:pw@registry"}, "must be http:// or https://"),
    ],
)
def test_a_wrong_setting_is_told(variables: dict[str, str], told: str) -> None:
    with pytest.raises(Fatal, match=told) as wrong:
        connect(with_registry(variables.pop("SCHEMA_REGISTRY_URL", "http://127.0.0.1:1"), **variables))
    assert "pw" not in str(wrong.value)


def test_records_of_an_older_release_are_read_by_the_id_that_it_registered(
    apicurio: Apicurio, gate: Gate, tmp_path: Path
) -> None:
    # This very release, with one before it whose CloneReply had no details yet.
    shutil.copytree(Path(schemas.__file__).parent, tmp_path / "schemas")
    old = other(fields=[field for field in codec.schema_json("CloneReply")["fields"] if field["name"] != "details"])
    (tmp_path / "schemas" / "released" / "0.9.0").mkdir()
    (tmp_path / "schemas" / "released" / "0.9.0" / "CloneReply.avsc").write_text(json.dumps(old))
    number = apicurio.register("clonepost.events.CloneReply", old)
    accepted = examples("CloneReply")[2]
    assert accepted.record["details"] is None
    # The last byte is the null of `details`.
    value = b"\x00" + number.to_bytes(4, "big") + accepted.single_object[10:-1]
    code = f"""
import json
from runtime.schema_registry import connect
from runtime.settings import Settings
from schemas import codec
framing = connect(Settings(kafka={{}}, schema_registry={{"url": {gate.url!r}}}))
decoded = codec.decode(framing.incoming(bytes.fromhex({value.hex()!r})), frozenset({{"CloneReply"}}))
print("RECORD", json.dumps(decoded.record))
"""
    repository = str(Path(schemas.__file__).parent.parent)
    ran = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": f"{tmp_path}:{repository}", "PATH": ""},
    )
    [line] = [line for line in ran.stdout.splitlines() if line.startswith("RECORD")]
    assert json.loads(line.removeprefix("RECORD")) == accepted.record
    # Learnt at the start, not when the record came.
    assert not any(f"schemas/ids/{number}" in call for call in gate.calls)
