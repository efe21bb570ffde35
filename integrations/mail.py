"""Sending one mail over SMTP: bounded in time, its errors those of `errors`.

| what happens | error |
|---|---|
| no connection, no TLS, no answer up to the login | `Unavailable`: it has not taken the mail |
| 4xx | `Unavailable` |
| the login is refused | `Unauthorized` |
| 5xx for the receiver | `NotFound`: there is no such mailbox |
| any other 5xx | `Rejected` |
| time-out or a cut connection once the mail was begun | `Unanswered`: it may have taken the mail |
"""

from __future__ import annotations

import asyncio
import base64
import re
from datetime import timedelta
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from typing import Literal

import aiosmtplib
from pydantic import SecretStr

from incident.checkup import Checked
from integrations.errors import IntegrationError, NotFound, Rejected, Unauthorized, Unavailable
from integrations.http import Unanswered, user_agent
from integrations.remedies import remedy

ANSWER_WITHIN = timedelta(seconds=8)
"""For one mail with all its steps: a server that takes its time at each of them must not outlast whoever waits for the mail."""

Security = Literal["starttls", "tls", "none"]

_PLAIN = re.compile(r"[^A-Za-z0-9._-]")


class Mailer:
    """One mail server, and the address in whose name it sends."""

    def __init__(self, host: str, port: int, *, sender: str, user: str = "", password: SecretStr, security: Security = "starttls") -> None:
        self.sender = sender
        self.server = f"{host}:{port}"
        self._host, self._port = host, port
        self._user, self._password, self._security = user, password, security

    @property
    def domain(self) -> str:
        return self.sender.rpartition("@")[2]

    def message_id(self, key: str) -> str:
        """The Message-ID of a key: the same for every attempt, so that a mailbox that is told twice shows it once."""
        return f"<{_PLAIN.sub('-', key)}@{self.domain}>"

    def message(self, *, key: str, to: str, subject: str, text: str, thread: str | None = None) -> EmailMessage:
        """A plain mail under a key; mails of one `thread` are shown together."""
        message = EmailMessage(policy=WIRE)
        message["From"] = self.sender
        message["To"] = to
        message["Subject"] = " ".join(subject.split())
        message["Message-ID"] = self.message_id(key)
        if thread is not None:
            message["References"] = self.message_id(thread)
        message["Auto-Submitted"] = "auto-generated"
        message["User-Agent"] = user_agent()
        message.set_content(text)
        return message

    async def send(self, message: EmailMessage, *to: str) -> list[str]:
        """Send it to all of `to`; answers those whom the server does not take, where it takes some."""
        client = self._client()
        by = asyncio.get_running_loop().time() + ANSWER_WITHIN.total_seconds()
        try:
            async with asyncio.timeout_at(by):
                await client.connect()
                await client.ehlo()
                if self._user:
                    await client.login(self._user, self._password.get_secret_value())
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            client.close()
            raise self._not_connected(error) from None
        try:
            async with asyncio.timeout_at(by):
                refused, _ = await client.send_message(message, sender=self.sender, recipients=list(to))
        except (aiosmtplib.SMTPException, OSError) as error:
            raise self._translated(error, ", ".join(to)) from None
        finally:
            client.close()
        return list(refused)

    async def check(self, what: str) -> Checked:
        """Connect and log in, and send nothing."""
        client = self._client()
        try:
            await client.connect()
            if self._user:
                await client.login(self._user, self._password.get_secret_value())
            await client.noop()
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            told = self._translated(error, "")
            away = "TOCSIN_MAIL_HOST, TOCSIN_MAIL_PORT, and TOCSIN_MAIL_SECURITY (starttls on 587, tls on 465)"
            login = "Check TOCSIN_MAIL_USER and TOCSIN_MAIL_PASSWORD."
            refused = login if isinstance(told, Unauthorized) else f"Check {away}."
            fix = remedy(told, "the mail server", away, refused)
            return Checked(name=what, ok=False, detail=str(told), fix=fix)
        finally:
            client.close()
        return Checked(name=what, ok=True, detail=f"{self.server} takes mail from {self.sender}")

    def _client(self) -> aiosmtplib.SMTP:
        return aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            use_tls=self._security == "tls",
            start_tls=self._security == "starttls",
            timeout=ANSWER_WITHIN.total_seconds(),
        )

    def _not_connected(self, error: Exception) -> IntegrationError:
        translated = self._translated(error, "")
        return Unavailable(str(translated)) if isinstance(translated, Unanswered) else translated

    def _said(self, text: str) -> str:
        """The server's own words, without the password that some repeat."""
        password = self._password.get_secret_value()
        coded = [base64.b64encode(each.encode()).decode() for each in (password, f"\0{self._user}\0{password}")]
        for secret in (coded[1], coded[0], password) if password else ():
            text = text.replace(secret, "***")
        return _words(text)

    def _translated(self, error: Exception, to: str) -> IntegrationError:
        if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
            refused = error.recipients[0]
            text = f"the mail server {self.server} does not take mail for {to}: {refused.code} {self._said(refused.message)}"
            return Unavailable(text) if refused.code < 500 else NotFound(text)
        if isinstance(error, aiosmtplib.SMTPAuthenticationError):
            text = f"the mail server {self.server} refuses the login (renew TOCSIN_MAIL_PASSWORD): {error.code} {self._said(error.message)}"
            return Unavailable(text) if error.code < 500 else Unauthorized(text)
        if isinstance(error, aiosmtplib.SMTPResponseException) and error.code >= 400:
            text = f"the mail server {self.server} answered {error.code} {self._said(error.message)}"
            return Unavailable(text) if error.code < 500 else Rejected(text)
        if isinstance(error, aiosmtplib.SMTPNotSupported):
            return Rejected(f"the mail server {self.server} can't do what is asked of it: {self._said(str(error))}")
        return Unanswered(f"the mail server {self.server} did not answer: {self._said(str(error)) or type(error).__name__}")


def _words(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)[:300].strip()
