"""Access control: who may connect, how many at once, how fast, and how refusals are recorded."""
