"""The durable inbox: files, rows, and when a study is complete."""
