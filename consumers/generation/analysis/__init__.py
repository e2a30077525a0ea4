"""Analysis: a source post becomes a Blueprint. `analyse` puts it together; the other modules read one thing each."""
