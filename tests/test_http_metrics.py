"""Answers are counted as plain numbers and come out as the metrics that dashboards and alerts ask for."""

import uuid

from prometheus_client import REGISTRY

from runtime.metrics import observe_http


def test_answers_come_out_by_route_status_and_time() -> None:
    route = f"test-{uuid.uuid4()}"
    for status, seconds in ((202, 0.0004), (202, 0.001), (202, 0.03), (503, 20.0)):
        observe_http(route, status, seconds)

    def value(name: str, **labels: str) -> float | None:
        return REGISTRY.get_sample_value(f"clonepost_http_{name}", {"route": route, **labels})

    assert value("requests_total", status="202") == 3
    assert value("requests_total", status="503") == 1
    within = [value("seconds_bucket", le=bound) for bound in ("0.001", "0.025", "0.05", "10.0", "+Inf")]
    assert within == [2, 2, 3, 3, 4]
    assert value("seconds_count") == 4
    total = value("seconds_sum")
    assert total is not None
    assert abs(total - 20.0314) < 1e-9
