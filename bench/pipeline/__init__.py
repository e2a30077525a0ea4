"""`clonepost bench pipeline`: the pipeline against the raw limit of the same jobs.

`crowd` makes the work, `rounds` times the pipeline, `capture` takes its records and rows as ready bytes, `limit` times
those bytes alone, `costs` counts CPU and memory by process, `latency` times single jobs, `report` prints.
"""
