"""Data sets: the index, public layouts, images by the road of service, splits, masks."""
