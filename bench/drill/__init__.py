"""A fault drill: a load of every kind, faults drawn from a seed, then heal, drain, and let the checker judge."""
