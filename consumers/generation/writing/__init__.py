"""Writing: the realiser `embedded`. Offline and deterministic: sentences by grammar from scenes, frames and facts.

`lexicon` reads a language's files; `facts` types what a brand says about itself; `voice` is a brand as copy uses it;
`phrases` fills frames; `script`, `hook`, `caption` and `storyboard` write the parts; `embedded` puts them together.
"""
