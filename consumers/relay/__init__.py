"""The relay: outbox rows become records of clone.jobs-completed, exactly once for read_committed readers.

`protocol` names the steps and their order, the same names that the model checker uses; `relay` performs them.
"""
