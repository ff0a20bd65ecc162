"""``python -m msnode`` is the same as ``msnode``."""

from msnode.cli import main

main()
