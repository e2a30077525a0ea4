"""The fuzzers find nothing, in a small number of records and requests; and they would."""
