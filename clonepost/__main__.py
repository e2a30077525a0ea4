"""`python -m clonepost`: the same as the `clonepost` command."""

from clonepost.cli import main

main()
