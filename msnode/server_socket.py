"""The sockets that a node listens on, taken before anything that takes time is begun."""

import errno
import socket

from msnode.errors import ConfigError

BACKLOG = 1024
"""Connections that may wait to be accepted; one that comes while it is full waits for seconds."""


def listen(section: str, address: str, port: int, backlog: int = BACKLOG) -> socket.socket:
    """Listen on an address; connections wait until somebody accepts them.

    Args:
        section: of the configuration, which has the address and the port.
        address: of this host.
        port: TCP port; 0 takes a free one.
        backlog: connections that may wait.

    Raises:
        ConfigError: it cannot be listened on; names the setting and the fix.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # by name, or asyncio leaves Nagle's algorithm on, and each answer waits for 40 ms
    server = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, port))
        server.listen(backlog)
    except OSError as error:
        server.close()
        raise ConfigError(_why(section, address, port, error)) from error
    return server


def _why(section: str, address: str, port: int, error: OSError) -> str:
    """Which setting is wrong, and what to do."""
    if error.errno == errno.EADDRINUSE:
        return (
            f"{section}.port: {port} is in use on {address}; end what uses it "
            f"(ss -ltnp 'sport = :{port}' names it), or take another port"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            f"{section}.port: {port} needs a privilege; give the service CAP_NET_BIND_SERVICE "
            "(docs/install.md), or take a port above 1023"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{section}.address: {address} is not of this host; take one of its own"
    return f"{section}: {address} port {port} cannot be listened on: {error.strerror}"
