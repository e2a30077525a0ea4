"""The one place where a request is judged: reads clone.requests, writes clone.admissions and clone.replies.

`intake` turns a record into a question, `decide` answers questions (pure), `outputs` turns answers into records, and
`consumer` puts them around one database transaction a batch. Where is a duplicate decided? In `decide`.
"""
