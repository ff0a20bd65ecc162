"""Who may store by STOW-RS: by bearer token, certificate or address."""

import hashlib
import hmac
from typing import Literal

from msnode import config
from msnode.config.web_receive import digest_of
from msnode.receive.access.policy import Peer
from msnode.receive.dicomweb.http_refusal import HttpRefused

Right = Literal["store", "fhir"]
LOCAL = "STOW-RS"
"""The name of whoever comes from this host, where no callers are configured."""
CHALLENGE = (("WWW-Authenticate", 'Bearer realm="msnode"'),)


class WebPolicy:
    """The rules of ``receive.dicomweb.callers``."""

    def __init__(self, web: config.Dicomweb) -> None:
        self._callers = [(caller, _digest(caller)) for caller in web.callers]
        self._has_tokens = any(caller.token is not None for caller in web.callers)

    def admit(self, authorization: str, peer: Peer, right: Right = "store") -> str:
        """Find the configured caller that a request comes from.

        Args:
            authorization: the header's value, "" if there is none.
            peer: who sent it.
            right: what the request needs.

        Returns:
            The caller's name.

        Raises:
            HttpRefused: 401 without a known token, where one would help; else 403.
        """
        if not self._callers:
            if not peer.host.is_loopback:
                raise HttpRefused(403, "no callers are configured", "caller")
            return LOCAL
        scheme, _, token = authorization.partition(" ")
        shown = _hash(token.strip()) if scheme.lower() == "bearer" else ""
        # each is compared, so that the time tells nothing of the others
        known = [(one, hmac.compare_digest(shown, digest)) for one, digest in self._callers]
        if shown and self._has_tokens and not any(is_its for _, is_its in known):
            raise HttpRefused(401, "the bearer token is unknown", "token", CHALLENGE)
        known = [(one, is_its) for one, is_its in known if peer.is_at(one.address)]
        if not known:
            raise HttpRefused(403, "no caller has this address", "address")
        shows = [(one, is_its) for one, is_its in known if peer.shows(one.subject)]
        fit = [one for one, is_its in shows if is_its or one.token is None]
        if may := [one for one in fit if right in one.rights]:
            return may[0].name.strip()
        if fit:
            raise HttpRefused(403, f"the caller has no right: {right}", "rights")
        if shows and not shown:
            raise HttpRefused(401, "a bearer token is needed", "token", CHALLENGE)
        raise HttpRefused(403, "token, certificate and address fit no caller", "certificate")


def _digest(caller: config.WebCaller) -> str:
    """SHA-256 of a caller's token in hex; of one without a token what no token has."""
    if caller.token is None:
        return "-"
    return digest_of(caller.token) or _hash(caller.token)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
