"""The multiple sclerosis triage node: brain MRI in by DICOM, reports back to the PACS."""

__version__ = "0.2.0"
