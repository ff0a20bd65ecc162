"""Images that nobody took: synthetic scans, moved and filled lesions, augmentation."""
