"""Who may come in, how many at once and how fast, and what becomes of a refusal."""
