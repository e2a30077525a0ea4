"""Dead letters: cases, redrive, discard."""
