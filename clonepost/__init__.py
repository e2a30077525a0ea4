"""The command line, the composition roots, and the local stack that `clonepost up` starts. May import everything."""
