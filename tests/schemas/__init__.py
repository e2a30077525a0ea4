"""The contract, held against itself and against every release."""
