"""Whether the node's ports can be had, or are held by a node that runs."""

import errno
import urllib.error
import urllib.request

from msnode import server_socket
from msnode.config import Http
from msnode.config.overlaps import EVERYWHERE
from msnode.errors import ConfigError

HEALTH_S = 2.0
"""A node that runs says within so long that it does."""


def place_of(http: Http) -> str:
    """Host and port at which this host finds its node's metrics and health checks."""
    address = "localhost" if http.address in EVERYWHERE else http.address
    host = f"[{address}]" if ":" in address else address
    return f"{host}:{http.port}"


def is_running(http: Http) -> bool:
    """Whether a node answers there, which then holds the ports itself."""
    try:
        urllib.request.urlopen(f"http://{place_of(http)}/healthz", timeout=HEALTH_S).close()
    except urllib.error.HTTPError as error:
        return error.code == 503  # it runs, and is not well
    except (OSError, ValueError):
        return False
    return True


def free_or_ours(section: str, address: str, port: int, *, runs: bool) -> None:
    """An address and port that can be listened on, or are by a node that runs."""
    try:
        server_socket.listen(section, address, port).close()
    except ConfigError as error:
        cause = error.__cause__
        if not (runs and isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE):
            raise
