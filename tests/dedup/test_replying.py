"""Which partitions of clone.replies are answered on: those that the cluster has, and no others."""

import uuid

from consumers.dedup.decide import Replayed
from consumers.dedup.intake import read_record
from consumers.dedup.outputs import outputs
from consumers.dedup.replying import ReplyPartitions
from runtime.errors import BrokerUnavailable
from storage.admission import AdmissionState
from tests.dedup.records import clone
from tests.dedup.stage import TOPIC_ID
from tests.dedup.world import Project


class Topic:
    """A topic that grows, and a cluster that may not answer."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.asked = 0
        self.answers = True
        self.now = 1_000.0

    def ask(self) -> int:
        self.asked += 1
        if not self.answers:
            raise BrokerUnavailable("kafka: _TRANSPORT")
        return self.partitions

    def clock(self) -> float:
        return self.now


def test_a_partition_that_is_not_there_is_asked_for_now_and_then() -> None:
    topic = Topic(4)
    known = ReplyPartitions(topic.ask, clock=topic.clock)
    topic.partitions = 8
    assert [number in known for number in (0, 3, 4, 9_999)] == [True, True, False, False]
    assert topic.asked == 1, "anybody may name a partition: not each is looked up"
    topic.now += 11
    assert [number in known for number in (9_999, 7, 8)] == [False, True, False]
    assert topic.asked == 2


def test_an_outage_leaves_what_is_known() -> None:
    topic = Topic(4)
    known = ReplyPartitions(topic.ask, clock=topic.clock)
    topic.answers = False
    topic.now += 11
    assert [number in known for number in (4, 3)] == [False, True]


def test_who_names_a_partition_that_is_not_there_gets_no_reply() -> None:
    project = Project(uuid.uuid4(), uuid.uuid4(), uuid.uuid4(), uuid.uuid4())
    state = AdmissionState(TOPIC_ID, 1_760_000_000_000)
    questions = [read_record(clone(project).asking(number, "req")) for number in (2, 3)]
    records = outputs(questions, [Replayed(question.job_id) for question in questions], state, "", range(3))
    assert [record.partition for record in records] == [2]
