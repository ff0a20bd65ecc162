"""The pages as a process of its own, to be killed."""

import logging
import os
import threading
from multiprocessing.connection import Connection
from pathlib import Path

from msnode.pages.access import sessions
from tests.integration.crashing import Stop
from tests.pages_site import served, site_in


def main(folder: Path, ready: Connection, stop: Stop | None) -> None:
    """Serve an administrator, tell where and by which session, and go on until killed.

    Args:
        folder: with the data folder; what the process says goes into a file beside it.
        ready: gets the URL, the cookie's value and the token of its forms.
        stop: where to die.
    """
    log = os.open(folder.with_suffix(".log"), os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
    os.dup2(log, 2)
    logging.basicConfig(level=logging.INFO)
    small = {"min_free_bytes": 0, "warn_free_bytes": 0}
    with site_in(folder, {"patients": False}, receive=small, http={"port": 1}) as site:
        token = sessions.begin(site, "anna", frozenset({"administrator"}), "oidc")
        with served(site) as url:
            if stop is not None:
                stop.arm()
            ready.send((url, token, sessions.csrf_of(token)))
            threading.Event().wait()
