"""How Sphinx builds these pages: `make docs`. Nothing is loaded from another host, and any warning fails the build."""

from __future__ import annotations

from typing import Any

import pytest_ocrparity  # noqa: F401  the pages show its docstrings: an environment without it fails here, in one line

project = "pytest-ocrparity"
author = "the authors of pytest-ocrparity"
html_title = "pytest-ocrparity"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
source_suffix = {".md": "markdown"}

# GitHub's anchors, so that links between pages lead to the same place there and here.
myst_heading_anchors = 4

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False

# The prompt is no part of a command.
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True

default_role = "code"  # what docstrings put between single backticks
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_google_docstring = True
napoleon_numpy_docstring = False

nitpicky = True
# Types of Python and numpy have their pages elsewhere, and ours that no page lists are named in signatures alone.
nitpick_ignore_regex = [("py:.*", ".*")]


def setup(app: Any) -> None:
    """Take off the signature that Python gives to a protocol, which nobody calls."""

    def signature(_app: Any, _what: str, _name: str, _obj: Any, _options: Any, found: str, _returns: str) -> Any:
        return ("", None) if found == "(*args, **kwargs)" else None

    app.connect("autodoc-process-signature", signature)
