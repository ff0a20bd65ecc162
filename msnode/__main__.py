"""``python -m msnode`` is the same as ``msnode``."""

from msnode.cli.main import main

main()
