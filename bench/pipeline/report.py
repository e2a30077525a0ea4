"""The results as one document for programs and as lines for people."""

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.pipeline.capture import Captured
from bench.pipeline.costs import per_job_ms
from bench.pipeline.latency import Latency
from bench.pipeline.limit import Limit
from bench.pipeline.rounds import Round


def round_document(done: Round, captured: Captured | None, limit: Limit | None) -> dict[str, Any]:
    """One round, and the raw limit of its bytes where it was measured."""
    before, half, after = done.costs
    cpu = per_job_ms(before.cpu_seconds, after.cpu_seconds, done.jobs)
    cpu["bench"] = done.bench_cpu_seconds * 1000 / done.jobs
    document: dict[str, Any] = {
        "pipeline": {
            "jobs": done.jobs,
            "seconds": done.seconds,
            "requests_written_seconds": done.written_seconds,
            "jobs_per_second": done.jobs / done.seconds,
            "cpu_ms_per_job": cpu,
            "cpu_ms_per_job_total": sum(cpu.values()),
            "database_cpu_ms_per_job": per_job_ms(before.database_cpu_seconds, after.database_cpu_seconds, done.jobs),
            "log_entries_per_job": _entries_per_job(done),
            "memory_mb": {
                role: [before.memory_mb[role], half.memory_mb[role], megabytes]
                for role, megabytes in after.memory_mb.items()
            },
        }
    }
    if captured is not None:
        document["pipeline"]["records_per_job"] = {t: len(r) / captured.jobs for t, r in captured.records.items()}
        document["pipeline"]["rows_per_job"] = {t: n / captured.jobs for t, n in captured.row_counts.items()}
        document["pipeline"]["row_bytes_per_job"] = sum(map(len, captured.rows.values())) / captured.jobs
        document["pipeline"]["record_bytes_per_job"] = _record_bytes(captured) / captured.jobs
    if limit is not None:
        before, after = limit.costs
        cpu = per_job_ms(before.cpu_seconds, after.cpu_seconds, limit.jobs)
        cpu |= {kind: seconds * 1000 / limit.jobs for kind, seconds in limit.worker_cpu_seconds.items()}
        document["raw"] = {
            "jobs": limit.jobs,
            "seconds": limit.seconds,
            "jobs_per_second": limit.jobs / limit.seconds,
            "cpu_ms_per_job": cpu,
            "cpu_ms_per_job_total": sum(cpu.values()),
        }
        document["ratio"] = document["pipeline"]["jobs_per_second"] / document["raw"]["jobs_per_second"]
    return document


def whole_document(
    rounds: Sequence[Mapping[str, Any]], latency: Latency | None, asked: Mapping[str, Any]
) -> dict[str, Any]:
    """Everything that a run found. Medians over its rounds stand beside the rounds themselves."""
    ratios = [done["ratio"] for done in rounds if "ratio" in done]
    return {
        "asked": dict(asked),
        "machine": {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()},
        "jobs_per_second": statistics.median(done["pipeline"]["jobs_per_second"] for done in rounds),
        "raw_jobs_per_second": statistics.median(d["raw"]["jobs_per_second"] for d in rounds) if ratios else None,
        "ratio": statistics.median(ratios) if ratios else None,
        "latency": None if latency is None else asdict(latency),
        "rounds": list(rounds),
    }


def show(document: Mapping[str, Any], console: Console) -> None:
    """Print what a person looks at first."""
    table = Table("round", "jobs", "pipeline jobs/s", "raw jobs/s", "ratio", "CPU ms/job", "raw CPU ms/job")
    for number, done in enumerate(document["rounds"], 1):
        pipeline, raw = done["pipeline"], done.get("raw")
        table.add_row(
            str(number),
            f"{pipeline['jobs']:,}",
            f"{pipeline['jobs_per_second']:,.0f}",
            "-" if raw is None else f"{raw['jobs_per_second']:,.0f}",
            "-" if raw is None else f"{done['ratio']:.1%}",
            f"{pipeline['cpu_ms_per_job_total']:.3f}",
            "-" if raw is None else f"{raw['cpu_ms_per_job_total']:.3f}",
        )
    console.print(table)
    last = document["rounds"][-1]["pipeline"]
    table = Table("process", "CPU ms/job", "memory MB: start", "half", "end")
    for role, milliseconds in last["cpu_ms_per_job"].items():
        memory = last["memory_mb"].get(role, ())
        table.add_row(role, f"{milliseconds:.3f}", *(f"{megabytes:,.0f}" for megabytes in memory))
    console.print(table)
    _line(console, "in Postgres, CPU ms/job", last["database_cpu_ms_per_job"], "{:.3f}")
    _line(console, "log entries a job", last["log_entries_per_job"], "{:.2f}")
    _line(console, "rows a job", last.get("rows_per_job", {}), "{:.2f}")
    if document["latency"] is not None:
        _line(console, "one POST at a time, ms", document["latency"], "{:.1f}")
    if document["ratio"] is not None:
        console.print(
            f"[bold]{document['jobs_per_second']:,.0f} jobs/s; the raw limit is "
            f"{document['raw_jobs_per_second']:,.0f}; ratio {document['ratio']:.1%}[/bold] (medians)"
        )


def _line(console: Console, title: str, values: Mapping[str, float], form: str) -> None:
    if values:
        shown = ", ".join(f"{name} {form.format(value)}" for name, value in values.items())
        console.print(f"{title}: {shown}", soft_wrap=True, highlight=False)


def _entries_per_job(done: Round) -> dict[str, float]:
    """By topic; transaction markers are entries too."""
    entries: dict[str, int] = {}
    for place, start in done.starts.items():
        entries[place[0]] = entries.get(place[0], 0) + done.ends[place] - start
    return {topic: count / done.jobs for topic, count in entries.items()}


def _record_bytes(captured: Captured) -> int:
    return sum(
        len(key or b"") + len(value or b"") + sum(len(name) + len(text or b"") for name, text in headers or ())
        for records in captured.records.values()
        for key, value, _, headers in records
    )
