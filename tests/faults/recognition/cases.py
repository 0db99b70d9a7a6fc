"""The faults of recognisers, by what the catalogue calls them: each spoils a right deployment in one place, or two."""

from __future__ import annotations

from faults.recognition.case import LineCase
from faults.recognition.cases_lines import OF_LINES
from faults.recognition.cases_models import OF_MODELS

FAULTS: list[LineCase] = [*OF_LINES, *OF_MODELS]
