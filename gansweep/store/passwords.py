"""Remove the passwords of databases, so that no file and no screen shows them."""

from __future__ import annotations

import re

# `://user:password@` up to the last @ of the word, as a password may contain @; and `?password=…`.
_USER = re.compile(r"(://[^\s:/@'\"]*):[^\s'\"]*@")
_QUERY = re.compile(r"([?&](?:password|passwd|pwd)=)[^\s&'\"]*", re.IGNORECASE)


def without_password(text: str) -> str:
    """Return a text without the passwords of the database URLs in it."""
    return _QUERY.sub(r"\1", _USER.sub(r"\1@", text))
