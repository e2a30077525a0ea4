"""API keys: made, kept, presented, revoked."""
