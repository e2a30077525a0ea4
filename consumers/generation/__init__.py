"""Generation: accepted jobs become variations, variations become creatives.

Running them: `fanout` reads clone.admissions and makes the rows; `pool` holds what this process has leased, with its
`workers` (they call the generator), `committer` (ends attempts), `keeper` (renews leases, claims pending rows, shows
the steps of slow work); `sweeper` repairs what crashes and lost records leave behind, as `diagnose` tells it.

Making them: `generators` is the port between the halves; `composed` goes through `analysis` (a source becomes a
Blueprint), `planning` (a Blueprint becomes a VariationBrief), `realise` (the port behind which words are written;
`writing` is the offline realiser) and `gate`. `instant` and `scripted` serve benchmarks and tries.

May import `storage`, `runtime` and `schemas`; never another consumer.
"""
