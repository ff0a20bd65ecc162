"""Earlier studies of a patient: asked for, chosen before they are fetched, fetched."""
