"""The process of the pages: run by itself, or by `msnode serve` as its child."""

import logging
import os
from pathlib import Path

from msnode import config as configuration
from msnode import server_socket
from msnode.cli.child_process import NICE, end_with_stdin
from msnode.cli.logs import log_to_stderr
from msnode.errors import ConfigError


def run(config_file: Path, *, until_eof: bool) -> None:
    """Serve the pages until told to stop.

    Args:
        config_file: of the node.
        until_eof: also end when stdin does: with the process that started this one.

    Raises:
        ConfigError: no pages are configured, or their port is not to be had.
    """
    config = configuration.load(config_file, files=True)
    if config.pages is None:
        raise ConfigError("pages: are not configured; write pages: {} into the file, at least")
    log_to_stderr(logging.INFO, config.log)
    sock = server_socket.listen("pages", config.pages.address, config.pages.port)
    from msnode.pages import server

    if until_eof:
        os.nice(NICE)
        end_with_stdin()
    with server.opened(config, config_file.resolve()) as site:
        server.serve(site, sock)
