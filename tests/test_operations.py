"""Alert rules, board and runbook speak of metrics that exist, in Prometheus' own grammar, and of each other."""

import json
import re
from pathlib import Path
from typing import Any, Final

import promql_parser
import pytest
import yaml
from prometheus_client import REGISTRY

from runtime import metrics
from runtime.settings import Settings

_DOCS: Final = Path(__file__).parent.parent / "docs"
# What Prometheus itself and the client library add.
_FOREIGN: Final = {"up", "process_start_time_seconds", "process_resident_memory_bytes"}


def rules() -> list[dict[str, Any]]:
    loaded = yaml.safe_load((_DOCS / "operations" / "alerts.yml").read_text("utf-8"))
    return [rule for group in loaded["groups"] for rule in group["rules"]]


def board_expressions() -> list[str]:
    board = json.loads((_DOCS / "operations" / "grafana.json").read_text("utf-8"))
    texts = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    return [text.replace("$__rate_interval", "5m") for text in texts]


def exported() -> dict[str, set[str]]:
    """Every series of ours, with the names of its labels."""
    names: dict[str, set[str]] = {}
    declared = [
        (metric._name, metric._type, metric._labelnames)
        for metric in vars(metrics).values()
        if hasattr(metric, "_labelnames")
    ]
    # What is counted by hand says its labels only when it is collected.
    collected = [
        (family.name, family.type, family._labelnames)
        for family in REGISTRY.collect()
        if hasattr(family, "_labelnames")
    ]
    kinds = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
    for name, kind, labels in [*declared, *collected]:
        for suffix in kinds[kind]:
            names[name + suffix] = {*labels} | ({"le"} if suffix == "_bucket" else set())
    return names


@pytest.mark.parametrize("expression", [rule["expr"] for rule in rules()] + board_expressions())
def test_an_expression_parses_and_selects_series_that_exist(expression: str) -> None:
    promql_parser.parse(expression)
    series = exported()
    for name, labels in re.findall(r"\b([a-z_]+[a-z])(?:\{([^}]*)\})?", re.sub(r'"[^"]*"', '""', expression)):
        if name in _FOREIGN or not name.startswith("clonepost_"):
            continue
        assert name in series
        assert {label.split("=")[0].strip("!~ ") for label in labels.split(",") if label} <= series[name] | {"job"}


def test_the_catalogue_is_what_a_process_exports() -> None:
    families = {family.name for family in REGISTRY.collect()}
    assert {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in exported()} <= families


def test_every_alert_is_complete_and_has_its_page() -> None:
    runbook = (_DOCS / "runbook.md").read_text("utf-8")
    pages = dict(zip(*[iter(re.split(r"^## (\w+)$", runbook, flags=re.MULTILINE)[1:])] * 2, strict=True))
    assert set(pages) == {rule["alert"] for rule in rules()}
    for page in pages.values():
        for part in ("**You see**", "**It means**", "**Do**", "**It is over**"):
            assert part in page
    for rule in rules():
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["runbook_url"].endswith("#" + rule["alert"].lower())


def test_the_table_of_failures_speaks_of_what_there_is() -> None:
    table = (_DOCS / "failures.md").read_text("utf-8")
    assert set(re.findall(r"Clonepost[A-Z]\w+", table)) <= {rule["alert"] for rule in rules()}
    assert set(re.findall(r"CLONEPOST_([A-Z_]+)", table)) <= {name.upper() for name in Settings.model_fields}
    assert set(re.findall(r"clonepost_\w+", table)) <= set(exported())
    rooms = ("clonepost", "consumers", "producer", "runtime", "storage", "schemas")
    source = "".join(file.read_text("utf-8") for room in rooms for file in (_DOCS.parent / room).rglob("*.py"))
    # Log events, outcomes, error codes and columns.
    for word in re.findall(r"`((?!clonepost)[a-z]+_[a-z_]+)`", table) + re.findall(r"\b[A-Z]+_[A-Z_]+\b", table):
        bare = word.removeprefix("CLONEPOST_").lower()
        assert f'"{word}"' in source or f"{word}=" in source or bare in Settings.model_fields, word


def test_the_runbook_speaks_of_commands_and_settings_that_exist() -> None:
    from clonepost import cli

    runbook = (_DOCS / "runbook.md").read_text("utf-8")
    commands = {first or second for first, second in re.findall(r"^clonepost (\w+)|`clonepost (\w+)", runbook, re.M)}
    assert commands <= set(cli._COMMANDS)
    for setting in re.findall(r"CLONEPOST_([A-Z_]+)", runbook):
        assert setting.lower() in Settings.model_fields
