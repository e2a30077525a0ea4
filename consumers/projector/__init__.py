"""The status projector: turns ended variations into the job's state, its settlement and its terminal event.

`transitions` decides (pure), `outputs` makes records, `consumer` puts them around one database transaction a batch.
"""
