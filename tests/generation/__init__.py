"""The generation room: transitions, pool, sweeper, and what a creative must be."""
