"""The local stack: its parts alone, and whole stacks started, killed and stopped for real."""
