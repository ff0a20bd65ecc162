"""Results to their destinations: one attempt at a time, with a receipt for every object.

Nothing is gathered here, so that who only wants a C-ECHO does not load the database.
"""
