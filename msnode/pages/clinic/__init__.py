"""What clinicians see: the worklist, results with their images, patients."""
