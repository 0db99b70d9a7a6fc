"""The summary of a run in Markdown, small enough for a comment on a pull request."""

from __future__ import annotations

import re
from typing import Any, Final

from pytest_ocrparity.report.accuracy_lines import accuracy_figure_rows, accuracy_names, accuracy_notes
from pytest_ocrparity.report.document import RecordedComparison
from pytest_ocrparity.report.table import table_amounts, table_status_counts
from pytest_ocrparity.report.templates import TEMPLATES
from pytest_ocrparity.report.views import View
from pytest_ocrparity.stages import TASKS

MOST: Final = 60_000
"""Characters; GitHub takes 65,536 in a comment."""
LINES: Final = (40, 10, 3, 0)
"""How many images, causes and tests are listed, each by itself; fewer where that is too long."""


def markdown_summary(view: View) -> str:
    """Return the Markdown summary of a document; what is left out of it is counted."""
    results = view.results
    tasks = [task for task in TASKS if any(each.task == task.name for each in view.compared)]
    rows = [
        (
            sides,
            f"{task.name}: {kind}" if tasks[1:] else kind,
            [each for each in view.compared if _place(each) == (*sides, task.name, kind)],
        )
        for sides in view.sides
        for task in tasks
        for kind in task.kinds
    ]
    for most in LINES:
        text = TEMPLATES.get_template("summary.md.jinja").render(
            results=results,
            run=results.run,
            rows=[
                (sides, kind, found, table_status_counts(found), table_amounts(found))
                for sides, kind, found in rows
                if found
            ],
            causes=view.causes,
            images=view.images,
            most=most,
            code=code,
            plain=escaped,
            figure_rows=accuracy_figure_rows,
            notes=accuracy_notes,
            names=[name.words for name in accuracy_names(results.accuracy)],
        )
        if len(text) <= MOST:
            return text
    return text[:MOST]


def _place(compared: RecordedComparison) -> tuple[str, str, str, str]:
    return compared.reference, compared.candidate, compared.task, compared.kind


def escaped(text: Any) -> str:
    """Return a text as Markdown shows it, on one line: punctuation that could mean something becomes an entity."""
    return re.sub(
        r"[^A-Za-z0-9 ,.:;/=()\x80-\U0010ffff-]", lambda found: f"&#{ord(found[0])};", " ".join(str(text).split())
    )


def code(text: Any) -> str:
    """Return a name as code, in which GitHub makes no mentions or links of it."""
    return f"<code>{escaped(text)}</code>"
