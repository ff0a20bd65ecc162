"""What the settings must obey beyond their types: ranges, and what goes together.

A rule yields "key: what is wrong; the fix" for one section; its place is put before.
"""

import difflib
import ipaddress
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from msnode.config import settings

LONGEST_S = 366 * 24 * 3600
"""No time may be longer: timers and sockets have limits of their own beyond."""

LONGEST_DAYS = 36500

PORT = (1, 65535)
LISTENING = (0, 65535)
"""0 takes a free port."""

RANGES: dict[type, dict[str, tuple[float, float]]] = {
    settings.Receive: {
        "port": LISTENING,
        "max_associations": (1, 10000),
        "max_pdu": (4096, 2**24),
        "warn_free_bytes": (0, math.inf),
        "min_free_bytes": (0, math.inf),
        "max_instance_bytes": (1, math.inf),
        "max_study_instances": (1, math.inf),
    },
    settings.Decode: {"memory_bytes": (2**28, math.inf)},
    settings.Classify: {"batch": (1, 4096), "threads": (0, 1024)},
    settings.Destination: {"port": PORT},
    settings.Http: {"port": LISTENING},
    settings.Audit: {"max_file_bytes": (1 << 16, math.inf), "files": (2, 10000)},
    settings.Syslog: {"port": PORT},
}
"""From and to of whole numbers; of seconds see `_ranges`."""

OURS = ("incoming", "instances", "work", "quarantine", "audit")
"""Folders in the data folder whose files the node takes in, moves and deletes."""

KINDS = {
    "host": (
        "a peer",
        {"ae_title", "host", "port", "profile", "form", "tls", "verify", "verify_s"},
    ),
    "folder": ("a folder", {"folder", "profile", "form"}),
    "url": ("a webhook", {"url", "secret", "ca", "timeout_s", "allow_http", "tls"}),
}
"""What makes a destination one of its kind, and the settings of that kind alone."""


def contradictions(config: settings.Config) -> Iterator[str]:
    """Values that are right alone but not together, or outside their range; one line each."""
    for where, section in _sections(config, ""):
        for problem in (*_ranges(section), *RULES.get(type(section), _nothing)(section)):
            yield where + problem


def hint(word: str, known: Iterable[str]) -> str:
    """The known word that is nearest, or all of them."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f'did you mean "{close[0]}"?' if close else f"known: {', '.join(known)}"


def _sections(value: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Every section at any depth, with the beginning of its keys: ``receive.callers.0.``."""
    if isinstance(value, tuple):
        for i, item in enumerate(value):
            yield from _sections(item, f"{where}{i}.")
    elif is_dataclass(value):
        yield where, value
        for field in fields(value):
            yield from _sections(getattr(value, field.name), f"{where}{field.name}.")


def _nothing(_: Any) -> Iterator[str]:
    """The rule of sections without one."""
    return iter(())


def _ranges(section: Any) -> Iterator[str]:
    """Numbers outside their range, and times that are none."""
    for name, (low, high) in RANGES.get(type(section), {}).items():
        value = getattr(section, name)
        if not low <= value <= high:
            use = f"{low} to {high}" if high < math.inf else f"{low} or more"
            yield f"{name}: {value} is out of range; use {use}"
    for name in (field.name for field in fields(section) if field.name.endswith("_s")):
        value = getattr(section, name)
        if not 0 < value <= LONGEST_S:
            yield f"{name}: {value} is out of range; use seconds above 0, at most {LONGEST_S}"


def _config(config: settings.Config) -> Iterator[str]:
    """Names: of destinations among themselves, of this node among its hosts."""
    yield from _name(config.name)
    names = [destination.name for destination in config.destinations]
    for name in sorted({n for n in names if names.count(n) > 1}):
        yield f"destinations: the name {name!r} is used twice; receipts need unique names"
    for i, folder in enumerate(destination.folder for destination in config.destinations):
        if any((config.data / name).resolve() in _parents(folder) for name in OURS):
            yield f"destinations.{i}.folder: {folder} is the node's own; take another"
    if config.database is None:
        return
    if not re.match(r"postgresql(\+\w+)?://.", config.database):
        yield "database: is no PostgreSQL URL; write postgresql://USER:PASSWORD@HOST/DATABASE"
    if config.name == settings.Config().name:
        yield (
            "name: hosts that share a database need different ones, or they do the same work; "
            "give each its own, such as its host name"
        )


def _parents(folder: Path | None) -> tuple[Path, ...]:
    """A folder and those that it is in."""
    return (folder.resolve(), *folder.resolve().parents) if folder is not None else ()


def _receive(receive: settings.Receive) -> Iterator[str]:
    yield from _title(receive.ae_title)
    yield from _listening(receive.address)
    if receive.warn_free_bytes < receive.min_free_bytes:
        yield (
            f"warn_free_bytes: {receive.warn_free_bytes} is below min_free_bytes, "
            f"{receive.min_free_bytes}: the alert would come too late; raise it"
        )
    for i, keyword in enumerate(receive.accept):
        if keyword not in (known := _storage_classes()):
            close = difflib.get_close_matches(keyword, known, n=1) or ["CTImageStorage"]
            yield f'accept.{i}: {keyword!r} is no storage class; did you mean "{close[0]}"?'


def _storage_classes() -> list[str]:
    """Keywords of the storage SOP classes (PS3.6 Annex A)."""
    from pydicom import uid  # takes a while, for a setting that few have

    classes = (name for name, value in vars(uid).items() if isinstance(value, uid.UID))
    return [name for name in classes if name.endswith("Storage")]


def _subjects(receive: settings.Receive) -> Iterator[str]:
    for i, caller in enumerate(receive.callers):
        if caller.subject is not None and receive.tls is None:
            yield f"callers.{i}.subject: is in no certificate without TLS; set tls, or delete it"


def _caller(caller: settings.Caller) -> Iterator[str]:
    yield from _title(caller.ae_title)
    if caller.address is not None and not _is_network(caller.address):
        yield (
            f"address: {caller.address!r} is neither an IP address nor a network; "
            "write it like 10.1.2.3 or 10.1.2.0/24"
        )
    if not caller.rights:
        yield "rights: there are none; delete the caller, or give it echo or store"
    if caller.max_associations is not None and caller.max_associations < 1:
        yield f"max_associations: {caller.max_associations} is out of range; use 1 or more"


def _complete(complete: settings.Complete) -> Iterator[str]:
    yield from _ordered(complete, "quiet_s", "idle_s")
    yield from _ordered(complete, "idle_s", "cap_s")


def _retry(retry: settings.Retry) -> Iterator[str]:
    yield from _ordered(retry, "first_s", "longest_s")
    yield from _ordered(retry, "first_s", "give_up_s")


def _describe(describe: settings.Describe) -> Iterator[str]:
    """What becomes part of a SeriesDescription, and values of VR LO (PS3.5 6.2)."""
    if not re.fullmatch(r"([!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?)?", describe.token):
        yield f"token: {describe.token!r} is none; use up to 16 ASCII characters"
    for name, fewest in (("institution", 0), ("serial_number", 1)):
        text = getattr(describe, name)
        if not fewest <= len(text) <= 64 or "\\" in text or not text.isprintable():
            yield f"{name}: {text!r} is no LO; use {fewest} to 64 characters without backslash"


def _destination(destination: settings.Destination) -> Iterator[str]:
    """A destination is a peer, a folder or a webhook, with no setting that would do nothing."""
    yield from _name(destination.name)
    kinds = [kind for kind in KINDS if getattr(destination, kind) is not None]
    if len(kinds) != 1 or (destination.host is not None and destination.ae_title is None):
        yield "host: give either ae_title, host and port, or folder, or url and secret"
        return
    kind, its_own = KINDS[kinds[0]]
    blank = settings.Destination(destination.name, retry=destination.retry)
    for field in fields(destination):
        odd = getattr(destination, field.name) != getattr(blank, field.name)
        if odd and field.name not in its_own:
            yield f"{field.name}: does nothing for {kind}; delete it"
    if destination.profile == "minimal" and destination.form.overlay != settings.Form().overlay:
        yield "form.overlay: does nothing for the profile minimal; delete it, or take standard"
    if destination.ae_title is not None:
        yield from _title(destination.ae_title)
    if destination.host is not None and not _is_host(destination.host):
        yield f"host: {destination.host!r} is none; give a name or address alone, without port"
    if destination.verify != "commitment" and destination.verify_s != blank.verify_s:
        yield "verify_s: does nothing without verify: commitment; delete it"
    if destination.url is not None:
        yield from _webhook(destination, destination.url)


def _webhook(destination: settings.Destination, url: str) -> Iterator[str]:
    """RFC 9110 4.2: an http or https URL without a password; the secret is not a guess."""
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.port != 0 and parts.username is None else None
        (host or "").encode("idna")
    except ValueError:  # a port, IPv6 address or name that is none
        host = None
    if host is None or parts.scheme not in ("https", "http") or re.search(r"[^!-~]|#", url):
        yield "url: is no address of a webhook; write https://HOST[:PORT]/PATH"
    elif parts.scheme == "http" and not (destination.allow_http or _is_loopback(host)):
        yield "url: http shows the result to the network; use https, or set allow_http"
    if len(destination.secret or "") < 16:
        yield "secret: is shorter than 16 characters; take `openssl rand -hex 32`"
    if destination.tls is not None and destination.ca is not None:
        yield "ca: does nothing beside tls, which has its own; delete it"


def _http(http: settings.Http) -> Iterator[str]:
    yield from _listening(http.address)


def _retention(retention: settings.Retention) -> Iterator[str]:
    for field in fields(retention):
        days = getattr(retention, field.name)
        if days is not None and not 0 < days <= LONGEST_DAYS:
            use = f"days above 0, at most {LONGEST_DAYS}"
            yield f"{field.name}: {days} is out of range; use {use}, or null to keep them"


def _syslog(syslog: settings.Syslog) -> Iterator[str]:
    if not _is_host(syslog.host):
        yield f"host: {syslog.host!r} is no host name or address"
    if syslog.tls is not None and syslog.transport == "udp":
        yield "transport: TLS needs a connection; use tcp, or delete tls"


RULES: dict[type, Callable[[Any], Iterator[str]]] = {
    settings.Config: _config,
    settings.Receive: _receive,
    settings.Caller: _caller,
    settings.Complete: _complete,
    settings.Describe: _describe,
    settings.Destination: _destination,
    settings.Retry: _retry,
    settings.Retention: _retention,
    settings.Http: _http,
    settings.Syslog: _syslog,
}


def _ordered(section: Any, first: str, second: str) -> Iterator[str]:
    """Two times of which the second must not be the shorter one."""
    short, long = getattr(section, first), getattr(section, second)
    if short > long:
        yield f"{first}: {short} is longer than {second}, {long}; lower it, or raise {second}"


def _title(title: str) -> Iterator[str]:
    """PS3.5 6.2 AE: 1 to 16 characters of the default repertoire without backslash."""
    if not re.fullmatch(r"[ -\[\]-~]{1,16}", title) or not title.strip():
        yield (
            f"ae_title: {title!r} is no AE title; use 1 to 16 ASCII characters without backslash"
        )


def _name(name: str) -> Iterator[str]:
    """What is a metric's label, a word in the log and part of the name of a queue."""
    if not re.fullmatch(r"\w[\w .@:-]{0,63}", name) or name != name.strip():
        yield (
            f"name: {name!r} cannot be used; take up to 64 letters, digits and . _ @ : - and "
            "spaces, with a letter or digit first"
        )


def _listening(address: str) -> Iterator[str]:
    if address != "localhost" and not _is_address(address):
        yield f"address: {address!r} is no IP address; use one of this host, or 0.0.0.0 for all"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _is_host(text: str) -> bool:
    """A host name (RFC 1123 2.1, with the underscores that some have) or an address."""
    return _is_address(text) or re.fullmatch(r"[\w-]+(\.[\w-]+)*\.?", text) is not None


def _is_loopback(host: str) -> bool:
    """Whether a host is this one, without asking a name server."""
    return host in ("localhost", "::1") or re.fullmatch(r"127(\.\d{1,3}){3}", host) is not None
