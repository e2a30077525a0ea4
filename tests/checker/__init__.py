"""The checker finds nothing in a good run, and each thing that is broken in a copy of it."""
