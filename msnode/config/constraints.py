"""What a value must obey beyond its type, written at its field: ``port: Port = 104``.

A rule says what is wrong with a value and the fix, or None. `rules.contradictions` finds it.
"""

import base64
import difflib
import ipaddress
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

Rule = Callable[..., str | None]

LONGEST_S = 366 * 24 * 3600
"""No time may be longer: timers and sockets have limits of their own beyond."""
LONGEST_DAYS = 36500

MEANT = {"gpu": "cuda", "nvidia": "cuda"}
"""What people write for another word."""


@dataclass(frozen=True, slots=True)
class Within:
    """A whole number from ``low`` to ``high``."""

    low: float
    high: float = math.inf

    def __call__(self, value: int) -> str | None:
        """What is wrong with a value."""
        use = f"{self.low} to {self.high}" if self.high < math.inf else f"{self.low} or more"
        return None if self.low <= value <= self.high else f"{value} is out of range; use {use}"


def seconds(value: float) -> str | None:
    """A time that a timer can wait."""
    if 0 < value <= LONGEST_S:
        return None
    return f"{value} is out of range; use seconds above 0, at most {LONGEST_S}"


def days(value: float) -> str | None:
    """For how long something is kept."""
    if 0 < value <= LONGEST_DAYS:
        return None
    use = f"days above 0, at most {LONGEST_DAYS}"
    return f"{value} is out of range; use {use}, or null to keep them"


def above_zero(value: float) -> str | None:
    """A rate."""
    if 0 < value < math.inf:
        return None
    return f"{value} is out of range; use a number above 0"


def ae_title(value: str) -> str | None:
    """PS3.5 6.2 AE: 1 to 16 characters of the default repertoire without backslash."""
    if re.fullmatch(r"[ -\[\]-~]{1,16}", value) and value.strip():
        return None
    return f"{value!r} is no AE title; use 1 to 16 ASCII characters without backslash"


def label(value: str) -> str | None:
    """What is a metric's label, a word in the log and part of the name of a queue."""
    if re.fullmatch(r"\w[\w .@:-]{0,63}", value) and value == value.strip():
        return None
    return (
        f"{value!r} cannot be used; take up to 64 letters, digits and . _ @ : - and "
        "spaces, with a letter or digit first"
    )


def own_address(value: str) -> str | None:
    """What a socket is bound to."""
    if value == "localhost" or is_address(value):
        return None
    return f"{value!r} is no IP address; use one of this host, or 0.0.0.0 for all"


def network(value: str) -> str | None:
    """An address, or a range of them."""
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return (
            f"{value!r} is neither an IP address nor a network; "
            "write it like 10.1.2.3 or 10.1.2.0/24"
        )
    return None


def host(value: str) -> str | None:
    """A host name (RFC 1123 2.1, with the underscores that some have) or an address."""
    if is_address(value) or re.fullmatch(r"[\w-]+(\.[\w-]+)*\.?", value):
        return None
    return f"{value!r} is no host; give a name or address alone, without port"


def mail_address(value: str) -> str | None:
    """An address of RFC 5321 4.1.2, as far as it is in use: no quotes, no domain in brackets."""
    if re.fullmatch(
        r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", value
    ):
        return None
    return f"{value!r} is no mail address; write NAME@DOMAIN alone"


def storage_class(value: str) -> str | None:
    """Keyword of a storage SOP class (PS3.6 Annex A)."""
    from pydicom import uid  # takes a while, for a setting that few have

    names = [name for name, known in vars(uid).items() if isinstance(known, uid.UID)]
    known = [name for name in names if name.endswith("Storage")]
    if value in known:
        return None
    close = difflib.get_close_matches(value, known, n=1) or ["CTImageStorage"]
    return f'{value!r} is no storage class; did you mean "{close[0]}"?'


def series_token(value: str) -> str | None:
    """What becomes part of a SeriesDescription."""
    if re.fullmatch(r"([!-\[\]-~]([ -\[\]-~]{0,14}[!-\[\]-~])?)?", value):
        return None
    return f"{value!r} is none; use up to 16 ASCII characters"


@dataclass(frozen=True, slots=True)
class LongString:
    """A value of VR LO (PS3.5 6.2) of at least ``fewest`` characters."""

    fewest: int

    def __call__(self, value: str) -> str | None:
        """What is wrong with a value."""
        if self.fewest <= len(value) <= 64 and "\\" not in value and value.isprintable():
            return None
        return f"{value!r} is no LO; use {self.fewest} to 64 characters without backslash"


def postgresql(value: str) -> str | None:
    """The URL of a database that hosts can share; it may hold a password and is not repeated."""
    if re.match(r"postgresql(\+\w+)?://.", value):
        return None
    return "is no PostgreSQL URL; write postgresql://USER:PASSWORD@HOST/DATABASE"


def shared_secret(value: str) -> str | None:
    """A key that is no guess."""
    if len(value) >= 16:
        return None
    return "is shorter than 16 characters; take `openssl rand -hex 32`"


def hours(value: str) -> str | None:
    """From when to when, in local time; over midnight where the second is the earlier one."""
    moment = r"(?:[01]\d|2[0-3]):[0-5]\d"
    match = re.fullmatch(f"({moment})-({moment})", value, re.ASCII)
    if match is not None and match[1] != match[2]:
        return None
    return f'{value!r} are no hours; write them like "18:00-07:00", or delete the line for any time'


def bearer_token(value: str) -> str | None:
    """RFC 6750 2.1: a token, or the hash of one; it is not repeated."""
    if re.fullmatch(r"sha256:[0-9a-fA-F]{64}", value):
        return None
    if value.startswith("sha256:"):
        return "is no SHA-256; take `printf %s TOKEN | sha256sum`, 64 hex digits"
    if re.fullmatch(r"[A-Za-z0-9._~+/-]{16,512}=*", value):
        return None
    return "is no bearer token of 16 characters or more; take `openssl rand -hex 32`"


def header_name(value: str) -> str | None:
    """RFC 9110 5.1: a token."""
    if re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", value):
        return None
    return f"{value!r} is no name of a header; use one such as X-Forwarded-For"


def hl7_name(value: str) -> str | None:
    """An application or facility in a message's header (HD, HL7 v2.5.1 2.A.33): no separators."""
    if re.fullmatch(r"[A-Za-z0-9 _.:/@+-]{0,180}", value) and value == value.strip():
        return None
    return f"{value!r} cannot be used; take letters, digits and spaces, . _ : / @ + and -"


def coded(value: str) -> str | None:
    """A code and its scheme (PS3.3 8.1)."""
    if re.fullmatch(r"\S{1,64} \S{1,16}", value):
        return None
    return f"{value!r} is no code; write its value and its scheme, such as 24700007 SCT"


def visible_ascii(value: str) -> str | None:
    """What a header can carry; it may be a secret and is not repeated."""
    if re.fullmatch(r"[!-~]+", value):
        return None
    return "is empty, or has a space or a letter beyond ASCII; correct it"


def http_url(value: str) -> str | None:
    """RFC 9110 4.2: an http or https URL without a password; it may hold a key, so no repeat."""
    scheme = value.partition("://")[0]
    if scheme in ("https", "http") and not re.search(r"[^!-~]|#", value) and _has_host(value):
        return None
    return "is no address; write https://HOST[:PORT]/PATH"


def public_key(value: str) -> str | None:
    """A public key of minisign: 2 bytes "Ed", 8 that name it, 32 of Ed25519, as base64."""
    try:
        raw = base64.b64decode(value, validate=True)
    except ValueError:
        raw = b""
    if len(raw) == 42 and raw[:2] == b"Ed":
        return None
    return f"{value!r} is no public key; use the line of the .pub file that begins with RW"


def _has_host(url: str) -> bool:
    """Whether a URL names a host; not where a port, IPv6 address or name is none, or a user is."""
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.port != 0 and parts.username is None else None
        (host or "").encode("idna")
    except ValueError:
        return False
    return host is not None


def is_address(text: str) -> bool:
    """Whether a text is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_loopback(name: str) -> bool:
    """Whether a host is this one, without asking a name server."""
    return name in ("localhost", "::1") or re.fullmatch(r"127(\.\d{1,3}){3}", name) is not None


def in_order(section: object, first: str, second: str) -> Iterator[str]:
    """Two times of which the second must not be the shorter one."""
    short, long = getattr(section, first), getattr(section, second)
    if short > long:
        yield f"{first}: {short} is longer than {second}, {long}; lower it, or raise {second}"


def hint(word: str, known: Iterable[str]) -> str:
    """The known word that is nearest, or all of them."""
    known = list(known)
    meant = MEANT.get(word.lower())  # "gpu" is written like cpu, and is its opposite
    close = [meant] if meant in known else difflib.get_close_matches(word, known, n=1)
    return f'did you mean "{close[0]}"?' if close else f"known: {', '.join(known)}"


AeTitle = Annotated[str, ae_title]
Bytes = Annotated[int, Within(1)]
BytesOrNone = Annotated[int, Within(0)]
"""0 switches the limit off."""
Coded = Annotated[str, coded]
Count = Annotated[int, Within(1)]
Days = Annotated[float, days]
Hl7Name = Annotated[str, hl7_name]
Host = Annotated[str, host]
Hours = Annotated[str, hours]
Label = Annotated[str, label]
ListeningPort = Annotated[int, Within(0, 65535)]
"""0 takes a free port."""
Network = Annotated[str, network]
OwnAddress = Annotated[str, own_address]
Port = Annotated[int, Within(1, 65535)]
PublicKey = Annotated[str, public_key]
Seconds = Annotated[float, seconds]
SharedSecret = Annotated[str, shared_secret]
StorageClass = Annotated[str, storage_class]
