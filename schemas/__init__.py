"""The contract: records, codec, ids, the canonical request, topics, headers, HTTP models, error codes.

The `.avsc` files in `avro/` are the truth and Python follows; `released/` keeps every schema that was ever written, and
`examples/` and `vectors/` are for implementers in any language. Imports nothing of ours. The only room that names
fastavro.
"""
