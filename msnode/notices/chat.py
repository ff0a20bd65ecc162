"""Notices in a chat: an incoming webhook of Slack, Mattermost or Microsoft Teams."""

import json
import urllib.error
import urllib.request
from http.client import HTTPException
from importlib.metadata import version
from typing import Any

from msnode.config import Chat
from msnode.errors import TryLater
from msnode.notices.notice import HINT, Notice
from msnode.tls import trusting

TIMEOUT_S = 20.0
CARD = "application/vnd.microsoft.card.adaptive"


def body(notice: Notice, form: str) -> dict[str, Any]:
    """What the chat takes.

    Slack: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks; Mattermost:
    https://developers.mattermost.com/integrate/webhooks/incoming; Teams: an Adaptive Card in a
    message, as the template "Post to a channel when a webhook request is received" takes it.
    """
    if form == "teams":
        return {"type": "message", "attachments": [_card(notice)]}
    bold = "**" if form == "mattermost" else "*"
    lines = [f"{bold}{_plain(notice.subject, form)}{bold}"]
    lines += [f"• {_plain(line, form)}" for line in notice.lines]
    return {"text": "\n".join((*lines, HINT))}


def send(notice: Notice, chat: Chat) -> None:
    """Post a notice; redirects are not followed, the proxy of the environment is used.

    Raises:
        TryLater: the chat did not take it.
        ConfigError: its CA file cannot be used.
    """
    content = json.dumps(body(notice, chat.form)).encode()
    headers = {"Content-Type": "application/json", "User-Agent": f"msnode/{version('msnode')}"}
    request = urllib.request.Request(chat.url, content, headers, method="POST")  # noqa: S310 - https
    handlers = _Straight(), urllib.request.HTTPSHandler(context=trusting(chat.ca))
    try:
        urllib.request.build_opener(*handlers).open(request, timeout=TIMEOUT_S).close()
    except urllib.error.HTTPError as error:
        error.close()
        raise TryLater(f"the chat answers HTTP {error.code}") from error
    except (OSError, HTTPException) as error:  # its text may quote the address, which is a secret
        raise TryLater(f"the chat cannot be reached: {type(error).__name__}") from error


class _Straight(urllib.request.HTTPRedirectHandler):
    """A redirected POST would lose its body, and show the address to somebody else."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


def _plain(text: str, form: str) -> str:
    """Text that the chat shows as it is: Slack reads &, < and > as its own."""
    if form != "slack":
        return text
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _card(notice: Notice) -> dict[str, Any]:
    """An Adaptive Card (https://adaptivecards.io, schema 1.4)."""
    blocks = [{"type": "TextBlock", "text": notice.subject, "weight": "Bolder", "wrap": True}]
    blocks += [{"type": "TextBlock", "text": f"- {line}", "wrap": True} for line in notice.lines]
    blocks.append({"type": "TextBlock", "text": HINT, "isSubtle": True, "wrap": True})
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": blocks,
    }
    return {"contentType": CARD, "contentUrl": None, "content": card}
