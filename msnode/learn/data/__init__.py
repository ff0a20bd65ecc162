"""Data sets: the index, public layouts, images prepared as in service, splits, masks."""
