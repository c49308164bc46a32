"""Mail through the SMTP server of the settings."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage

from .config import Mail


def send(settings: Mail, subject: str, text: str) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = settings.sender, settings.to, subject
    message.set_content(text)
    with smtplib.SMTP(settings.host, settings.port, timeout=10) as server:
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls()
            server.ehlo()
        if settings.user:
            server.login(settings.user, settings.password)
        server.send_message(message)
