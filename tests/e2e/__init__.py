"""The whole pipeline as it runs anywhere: every role a process of its own, started by the command a user would type."""
