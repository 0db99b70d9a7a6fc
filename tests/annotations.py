"""Annotations of GitHub's, read as its runner reads them."""

from __future__ import annotations

import re


def parsed(line: str) -> tuple[dict[str, str], str]:
    """Read a workflow command as actions/runner does: properties up to `::`, then the message."""
    found = re.fullmatch(r"::error (?P<properties>[^\r\n]*?)::(?P<message>[^\r\n]*)", line)
    assert found is not None
    properties = dict(each.split("=", 1) for each in found["properties"].split(","))
    plain = {"%25": "%", "%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ","}

    def unescaped(text: str) -> str:
        return re.sub("%25|%0D|%0A|%3A|%2C", lambda match: plain[match[0]], text)

    return {name: unescaped(value) for name, value in properties.items()}, unescaped(found["message"])
