"""Rendering: creatives become pictures to look at. Later than the text, and never in its way.

`renderer` leases variations that have succeeded and stores what `workers`, a bounded pool of processes, makes of them.
`render` makes the assets of one: `storyboard`, and a `video` with a `voice` and captions (`cues`), or `cards` for a
slideshow. They draw `scenes` in a `palette`, with text that `lettering` fits into the safe area of `frame`.

Everything below `workers` is a pure function of the order: the same order gives the same bytes on the same machine.
May import `storage`, `runtime` and `schemas`; never another consumer.
"""
