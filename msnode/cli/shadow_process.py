"""The process of the shadow bundles: run by `msnode serve` and `msnode work` as their child."""

import logging
import os
import signal
import threading
from pathlib import Path

from msnode import config as configuration
from msnode.cli.child_process import NICE, end_with_stdin
from msnode.cli.logs import log_to_stderr
from msnode.errors import ConfigError


def run(config_file: Path, *, until_eof: bool) -> None:
    """Ask the shadows until told to stop.

    Args:
        config_file: of the node.
        until_eof: also end when stdin does: with the process that started this one.

    Raises:
        ConfigError: no shadows are configured.
    """
    config = configuration.load(config_file)
    if not config.classify.shadow:
        raise ConfigError("classify.shadow: there is none; name a bundle, at least")
    log_to_stderr(logging.INFO, config.log)
    from msnode.manage.node_database import opened
    from msnode.service.shadow_worker import ShadowWorker

    if until_eof:
        os.nice(NICE)
        end_with_stdin()
    worker = ShadowWorker(config, opened(config))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.stop())
    worker.start()
    working = threading.Thread(target=worker.run, name="shadows")
    working.start()
    working.join()
