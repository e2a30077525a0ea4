"""The project stage: what a job is, given its variations."""
