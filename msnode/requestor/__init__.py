"""Associations that we request (PS3.8 7.1): with whom, how the answer is read, queries on them."""
