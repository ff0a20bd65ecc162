"""What a clinic knows of a patient: events, their kinds, CSV, the table, and the course of all."""
