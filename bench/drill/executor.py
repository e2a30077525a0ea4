"""Makes a schedule's faults happen."""

import heapq
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from typing import Final

import psycopg
from confluent_kafka import OFFSET_END, Consumer, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions

from bench.checker.history import Recorder, RecordsDeleted
from bench.checker.system import VARIATION_RESULTS
from bench.drill.aging import age_keys
from bench.drill.disks import NoDisk
from bench.drill.faults import PROCESSES
from bench.drill.members import NotThere
from bench.drill.schedule import Fault, Schedule
from bench.drill.stack import PACE, Stack
from bench.drill.unswept import unswept
from runtime.errors import DatabaseUnavailable

_STORM_STAY_SECONDS: Final = 0.7
_ASK_SECONDS: Final = 5.0
_LOOK_AGAIN_SECONDS: Final = 0.05
_ARMED_SECONDS: Final = 10.0
# Three renewals a lease: by then whoever thawed has renewed what it has.
_RENEWED_SECONDS: Final = float(PACE["CLONEPOST_LEASE_SECONDS"]) / 2

_Undo = Callable[[], None]


class Executor:
    """Applies faults one after the other, in one thread; what takes long is done beside it."""

    def __init__(self, stack: Stack, recorder: Recorder) -> None:
        self.applied: Final[Counter[str]] = Counter()
        self.missed: Final[Counter[str]] = Counter()
        """Faults that met nobody: the process was dead already, the database down, the disk not ours."""
        self._stack = stack
        self._recorder = recorder
        self._order = count()
        self._over = threading.Event()
        self._actions: Final[Mapping[str, Callable[[Fault], _Undo | None]]] = {
            "kill": lambda fault: self._signal(fault, signal.SIGKILL),
            "failpoint": self._arm,
            "failpoint-freeze": self._arm,
            "freeze": self._freeze,
            "zombie": self._make_zombie,
            "restart": self._send_away,
            "absent": self._send_away,
            "broker-kill": lambda fault: self._signal(fault, signal.SIGKILL),
            "broker-restart": lambda fault: self._signal(fault, signal.SIGTERM),
            "broker-freeze": self._freeze,
            "postgres-kill": lambda fault: self._signal(fault, signal.SIGKILL),
            "postgres-immediate": lambda fault: self._signal(fault, signal.SIGQUIT),
            "postgres-restart": lambda fault: self._signal(fault, signal.SIGINT),
            "postgres-freeze": self._freeze,
            "delay": self._slow,
            "drop": self._deaf,
            "half-open": self._deaf,
            "reset": self._reset,
            "lost-commit": self._lose,
            "lost-end-txn": self._lose,
            "disk-full": self._fill,
        }
        self._slow_actions: Final[Mapping[str, Callable[[Fault], bool]]] = {
            "backends": self._terminate,
            "rebalance": self._storm,
            "growth": self._grow,
            "results-lost": self._lose_results,
            "late-worker": self._make_late,
            "day": self._pass_a_day,
        }

    def run(self, schedule: Schedule, stopped: threading.Event) -> None:
        """Returns when its time is over or `stopped` is set, and then heals. What it did stands in the counters."""
        started = time.monotonic()
        undoing: list[tuple[float, int, _Undo]] = []
        with ThreadPoolExecutor(8) as beside:
            running: list[tuple[Fault, Future[bool]]] = []
            try:
                for fault in schedule.faults:
                    self._wait(started + fault.at_seconds, undoing, stopped)
                    if stopped.is_set():
                        break
                    if fault.kind in self._slow_actions:
                        running.append((fault, beside.submit(self._slow_actions[fault.kind], fault)))
                        continue
                    undo = self._apply(fault)
                    if undo is not None:
                        heapq.heappush(undoing, (time.monotonic() + fault.seconds, next(self._order), undo))
                self._wait(started + schedule.seconds, undoing, stopped)
            finally:
                # Also where a second Ctrl-C has ended it: whoever is in a storm leaves it.
                self._over.set()
            self._stack.heal()
            for fault, future in running:
                (self.applied if future.result() else self.missed)[fault.kind] += 1
        for name, link in self._stack.links.by_name.items():
            # Counted when an answer was really lost, not when one was to be.
            kind = "lost-end-txn" if name.endswith(":kafka") else "lost-commit"
            self.applied[kind] += link.lost_answers

    def _wait(self, until: float, undoing: list[tuple[float, int, _Undo]], stopped: threading.Event) -> None:
        while not stopped.is_set():
            at = min(until, undoing[0][0]) if undoing else until
            if stopped.wait(max(0.0, at - time.monotonic())):
                return
            if not undoing or undoing[0][0] > at:
                return
            heapq.heappop(undoing)[2]()

    def _apply(self, fault: Fault) -> _Undo | None:
        try:
            undo = self._actions[fault.kind](fault)
        except (NotThere, NoDisk):
            self.missed[fault.kind] += 1
            return None
        if not fault.kind.startswith("lost-"):
            self.applied[fault.kind] += 1
        return undo

    def _signal(self, fault: Fault, number: signal.Signals) -> None:
        with self._stack.turn:
            self._stack.members[fault.target].kill(number)

    def _arm(self, fault: Fault) -> None:
        with self._stack.turn:
            self._stack.members[fault.target].kill_and_arm(fault.detail, fault.seconds)

    def _make_zombie(self, fault: Fault) -> _Undo:
        role, member = PROCESSES[fault.target], self._stack.members[fault.target]
        with self._stack.turn:
            member.kill_and_arm(fault.detail, fault.seconds, lambda: self._stack.links.reset(f"{role}:postgres"))

        def give_it_the_work() -> None:
            # A relay that stands by has none: where its step has not come by now, the other one dies.
            with self._stack.turn, suppress(NotThere):
                if member.is_armed:
                    for name, its_role in PROCESSES.items():
                        if its_role == role and name != fault.target:
                            self._stack.members[name].kill()

        return give_it_the_work

    def _freeze(self, fault: Fault) -> None:
        with self._stack.turn:
            self._stack.members[fault.target].freeze(fault.seconds)

    def _send_away(self, fault: Fault) -> None:
        with self._stack.turn:
            self._stack.members[fault.target].send_away(fault.seconds)

    def _slow(self, fault: Fault) -> _Undo:
        self._stack.links.set(fault.target, "delay", float(fault.detail))
        return lambda: self._stack.links.set(fault.target, "pass")

    def _deaf(self, fault: Fault) -> _Undo:
        self._stack.links.set(fault.target, "drop" if fault.kind == "drop" else "half-open")
        return lambda: self._stack.links.set(fault.target, "pass")

    def _reset(self, fault: Fault) -> None:
        self._stack.links.reset(fault.target)

    def _lose(self, fault: Fault) -> _Undo:
        self._stack.links.lose(fault.target, "silent" if fault.detail == "silent" else "cut")
        return lambda: self._stack.links.lose(fault.target, "")

    def _fill(self, fault: Fault) -> _Undo:
        disk = self._stack.disks.get(fault.target)
        if disk is None:
            raise NotThere(fault.target)
        disk.fill()
        return disk.free

    def _terminate(self, fault: Fault) -> bool:
        try:
            with psycopg.connect(self._stack.database_url, autocommit=True, connect_timeout=5) as connection:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE %s",
                    (f"clonepost-{fault.target}%",),
                )
        except psycopg.Error:
            return False
        return True

    def _storm(self, fault: Fault) -> bool:
        until = time.monotonic() + fault.seconds
        settings = {
            "bootstrap.servers": self._stack.bootstrap_servers,
            "group.id": f"clonepost.{fault.target}",
            "partition.assignment.strategy": "cooperative-sticky",
            "enable.auto.commit": False,
            "session.timeout.ms": 6_000,
            "log_level": 0,
        }
        topic = self._stack.system.topic(_TOPIC_OF_GROUP[fault.target])
        while time.monotonic() < until and not self._over.is_set():
            stranger = Consumer(settings)
            stranger.subscribe([topic])
            leave_at = time.monotonic() + _STORM_STAY_SECONDS
            while time.monotonic() < leave_at:
                stranger.poll(0.1)
            stranger.close()
        return True

    def _grow(self, fault: Fault) -> bool:
        admin = self._admin()
        try:
            more = len(_partitions(admin, fault.target)) + 1
            grown = admin.create_partitions([NewPartitions(fault.target, more)], request_timeout=_ASK_SECONDS)
            grown[fault.target].result()
        except KafkaException:
            return False
        return True

    def _lose_results(self, fault: Fault) -> bool:
        member = self._stack.members[fault.target]
        until = time.monotonic() + _ARMED_SECONDS
        ends_with: int | None = None
        while (ends_with is None or member.ends < ends_with) and time.monotonic() < until:
            if ends_with is None:
                with self._stack.turn, suppress(NotThere):
                    member.kill_and_arm("project.committed=kill", 0.0)
                    # This end, and that of the armed life.
                    ends_with = member.ends + 2
            if self._over.wait(_LOOK_AGAIN_SECONDS):
                return False
        admin = self._admin()
        topic = self._stack.system.topic(VARIATION_RESULTS)
        self._recorder.add(RecordsDeleted(topic=topic))
        try:
            places = [TopicPartition(topic, number, OFFSET_END) for number in _partitions(admin, topic)]
            for deleted in admin.delete_records(places, request_timeout=_ASK_SECONDS).values():
                deleted.result()
        except KafkaException:
            return False
        return True

    def _make_late(self, fault: Fault) -> bool:
        try:
            with unswept(self._stack.database_url, self._over):
                with self._stack.turn:
                    self._stack.members[fault.target].freeze(fault.seconds)
                self._over.wait(fault.seconds + _RENEWED_SECONDS)
        except (NotThere, DatabaseUnavailable):
            return False
        return True

    def _pass_a_day(self, fault: Fault) -> bool:
        try:
            with unswept(self._stack.database_url, self._over):
                aged = age_keys(self._stack.database_url)
                self._recorder.add(aged)
                self._over.wait(fault.seconds)
        except (NotThere, DatabaseUnavailable):
            return False
        return aged.certain

    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self._stack.bootstrap_servers, "log_level": 0})


def _partitions(admin: AdminClient, topic: str) -> list[int]:
    described = admin.describe_topics(TopicCollection([topic]), request_timeout=_ASK_SECONDS)
    return [one.id for one in described[topic].result().partitions]


_TOPIC_OF_GROUP: Final = {
    "dedup": "clone.requests",
    "generate": "clone.admissions",
    "project": "clone.variation-results",
}
