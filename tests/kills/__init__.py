"""Processes die, freeze or lose their broker or database at chosen places; then the checker looks for what broke."""
