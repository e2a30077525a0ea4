"""One module an invariant (or two that look at the same rows). Each is a pure function of the facts."""
