"""Tells administrators by mail and chat what is wrong, where nobody watches Prometheus."""
