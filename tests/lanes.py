"""Which worker takes which module: never more than half of them are at work on slow ones."""

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController


class Lanes(LoadScopeScheduling):  # type: ignore[misc]  # xdist ships no types
    """Modules are queued with the slow ones first. Every other worker takes the quick ones, from the queue's end.

    A slow module keeps several processes busy. As many at once as there are workers would leave no time to any: a
    second's work would take a minute, and what tells a crash from a pause would tell wrong.
    """

    def _assign_work_unit(self, node: WorkerController) -> None:
        if int(node.gateway.id.removeprefix("gw")) % 2:
            self.workqueue.move_to_end(next(reversed(self.workqueue)), last=False)
        super()._assign_work_unit(node)
