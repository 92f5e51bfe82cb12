"""Passwords of databases, which stand in no file and on no screen."""

from __future__ import annotations

import re

# `://user:password@`, up to the last @ of the word, as a password may have one; `?password=…`.
_USER = re.compile(r"(://[^\s:/@'\"]*):[^\s'\"]*@")
_QUERY = re.compile(r"([?&](?:password|passwd|pwd)=)[^\s&'\"]*", re.IGNORECASE)


def without_password(text: str) -> str:
    """A URL, or any text with URLs in it, without the passwords of databases."""
    return _QUERY.sub(r"\1", _USER.sub(r"\1@", text))
