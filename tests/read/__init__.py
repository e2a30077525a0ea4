"""The read side over HTTP, in process, on a real database."""
