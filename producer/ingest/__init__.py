"""Requests in: check the shape, publish, wait for the acknowledgement and then, a bounded time, for the verdict."""
