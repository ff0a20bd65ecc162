"""What is to be expected of a patient: formulas of the textbook, nothing that was trained."""
