"""What is published is durable, or it is said not to be."""

import pytest

from clonepost.localstack.ports import free_port
from runtime.errors import BrokerUnavailable
from runtime.publishing import Outgoing, Publisher
from runtime.settings import Settings


def test_a_record_that_nobody_acknowledges_is_not_published() -> None:
    nowhere = Settings(kafka={"bootstrap.servers": f"127.0.0.1:{free_port()}", "log_level": "0"})
    publisher = Publisher(nowhere, flush_seconds=0.5)
    with pytest.raises(BrokerUnavailable, match="1 of 1 records failed"):
        publisher.publish([Outgoing("anywhere", b"key", b"value")])
    publisher.close()
