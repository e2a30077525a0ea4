"""What a person types: thin shells over the rooms below. Each command has --help with an example."""
