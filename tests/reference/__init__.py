"""Reference data and credits, in and out by command."""
