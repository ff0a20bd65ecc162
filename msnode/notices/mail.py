"""Notices by mail."""

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from msnode.config import Mail
from msnode.errors import TryLater
from msnode.notices.notice import Notice
from msnode.tls import trusting

TIMEOUT_S = 20.0


def message(notice: Notice, mail: Mail) -> EmailMessage:
    """A plain text mail (RFC 5322) that asks no machine for an answer (RFC 3834)."""
    made = EmailMessage()
    made["From"], made["To"] = mail.sender, ", ".join(mail.to)
    made["Subject"] = notice.subject
    made["Date"] = formatdate()
    made["Message-ID"] = make_msgid(domain=mail.sender.rpartition("@")[2])
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(notice.text + "\n")
    return made


def send(notice: Notice, mail: Mail) -> None:
    """Hand a notice to the mail server.

    Raises:
        TryLater: it did not take it for all of the addresses.
        ConfigError: its CA file cannot be used.
    """
    context = trusting(mail.ca)
    try:
        with _connected(mail, context) as server:
            if mail.user:
                server.login(mail.user, mail.password)
            refused = server.send_message(message(notice, mail))
    except (OSError, ValueError, smtplib.SMTPException) as error:
        # a server's answer may repeat what it was sent: a password, an address
        code = getattr(error, "smtp_code", "")
        raise TryLater(f"{mail.host}: {type(error).__name__} {code}".rstrip()) from error
    if refused:
        raise TryLater(f"{mail.host}: refuses {len(refused)} of {len(mail.to)} addresses")


def _connected(mail: Mail, context: ssl.SSLContext) -> smtplib.SMTP:
    if mail.security == "tls":
        return smtplib.SMTP_SSL(mail.host, mail.port, timeout=TIMEOUT_S, context=context)
    server = smtplib.SMTP(mail.host, mail.port, timeout=TIMEOUT_S)
    if mail.security == "starttls":
        try:
            server.starttls(context=context)
        except Exception:
            server.close()
            raise
    return server
