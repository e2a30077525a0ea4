"""Dead letters as an operator sees them: `cases` says what became of each (pure), `redrive` sends some again."""
