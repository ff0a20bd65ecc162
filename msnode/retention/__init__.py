"""What is deleted: by rule what is delivered and old, by hand a study to be forgotten."""
