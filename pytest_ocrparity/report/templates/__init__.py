"""The report's templates. Everything that is put into HTML or SVG is escaped."""

from __future__ import annotations

from typing import Final

import jinja2

TEMPLATES: Final = jinja2.Environment(
    loader=jinja2.PackageLoader("pytest_ocrparity.report", "templates"),
    autoescape=lambda name: name is not None and not name.endswith(".md.jinja"),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
"""Markdown has an escape of its own, see `markdown`."""
