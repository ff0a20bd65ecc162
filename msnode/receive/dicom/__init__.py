"""The DICOM side of receiving: connections, associations, messages (PS3.7, PS3.8)."""
