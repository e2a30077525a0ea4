"""What `clonepost up` shows on a fresh machine: demo data, one clone from POST to finished creatives, what to try next.

`reference.jsonl` is the demo data in the import format; README.md beside it says what each row is there to show.
"""
