"""Training: one recipe, and the ways of fitting each kind of model."""
