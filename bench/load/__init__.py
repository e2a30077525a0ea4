"""A seeded load: requests of every kind, over HTTP and straight to Kafka, by clients that write down what they saw.

tenants = make_tenants(seed=7)                    # reference data: import `reference_lines(tenants)`, make keys
operations = plan(tenants, seed=7, operations=300)
with Recorder(file) as recorder, Load(system, [url], tenants, recorder) as load:
    load.run(operations)                          # returns when each has its answer, whatever is killed meanwhile
    load.follow(operations)                       # reads each job until it has ended
"""

from bench.load.analyst import Analyst
from bench.load.plan import Cancel, Clone, Operation, Poison, plan, planned
from bench.load.running import Load
from bench.load.tenants import Tenant, make_tenants, reference_lines

__all__ = [
    "Analyst",
    "Cancel",
    "Clone",
    "Load",
    "Operation",
    "Poison",
    "Tenant",
    "make_tenants",
    "plan",
    "planned",
    "reference_lines",
]
