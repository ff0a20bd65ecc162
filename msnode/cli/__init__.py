"""The command line: one module for each group of commands, and one for what each of them does."""
