"""Synthetic and changed images: synthetic scans, moved and filled lesions, augmentation."""
