"""What outlives the process: files, the database, what a disk has room for."""
