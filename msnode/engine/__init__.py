"""The only package that knows the durable engine, DBOS Transact.

A workflow's steps are recorded in the database as they finish; after a crash the workflow goes on
at the step that was in flight, on SQLite and on PostgreSQL alike.
"""
