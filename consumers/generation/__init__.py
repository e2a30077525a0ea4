"""Generation: accepted jobs become variations, variations become creatives.

`fanout` reads clone.admissions and makes the rows; `pool` leases them, runs a generator outside the poll loop and
commits results; `sweeper` repairs what crashes and lost records leave behind. What a creative is lives in `analyse`,
`plan`, `realise` and `gate`; `generators` is the port between the two halves.
"""
