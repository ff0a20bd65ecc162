"""Labels of tissues, as the synthesizer paints them and files of its users hold them."""

CSF, GREY, WHITE = 1, 2, 3
VENTRICLE = 4
"""Some sources tell the ventricles from other fluid."""
