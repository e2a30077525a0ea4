"""The command line: what it says and how it exits."""
