"""Every exception of this package, so that callers catch by kind and read fields instead of parsing text.

OcrParityError
├── SettingsError            a setting, option or marker is wrong: raised before anything runs
│   └── OptionError          it is an option that was typed
├── ModelError               a model's files or its software do not load
├── ImageError               an image is missing or does not decode
├── StageError               a model raised while running; says at which stage
│   └── NotEnoughMemory      running an image would take more memory than there is
├── GoldenError              a baseline cannot be used
│   ├── GoldenMissing        there is none for this image
│   ├── GoldenStale          the image or the reference changed since it was recorded
│   ├── GoldenTaken          it is that of another reference
│   └── GoldenCorrupt        the file is not a whole baseline that this version reads
├── LabelError               a label file is missing, or a line of it cannot be used
├── ResultError              results from elsewhere are missing, damaged, old, or of another image
├── ReportError              the report cannot be written, or a results.json not be read
└── DifferenceError          (also AssertionError) two sides were compared and differ
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class OcrParityError(Exception):
    """Base of everything this package raises on purpose."""

    def __str__(self) -> str:
        """Return the text, which may quote a file: half a surrogate pair in it would not travel between processes."""
        return super().__str__().encode(errors="backslashreplace").decode()


class SettingsError(OcrParityError):
    """A setting, a command-line option or a marker has a key or value that means nothing."""


class OptionError(SettingsError):
    """An option of the command line is wrong, or does not fit the others or the settings."""


class ModelError(OcrParityError):
    """A model cannot be loaded; the text names the file, the value and the way out."""


class ImageError(OcrParityError):
    """An image is missing, empty or no image."""


class StageError(OcrParityError):
    """A pipeline raised at `stage`; `__cause__` is what PaddleOCR or the engine raised."""

    def __init__(self, stage: str, message: str) -> None:
        """Keep the name of the stage (one of `stages.STAGES`) beside the message."""
        super().__init__(message)
        self.stage = stage


class NotEnoughMemory(StageError):
    """Running an image would take more memory than there is; it was not begun."""


class GoldenError(OcrParityError):
    """A baseline cannot be used."""


class GoldenMissing(GoldenError):
    """No baseline was recorded for this image."""


class GoldenStale(GoldenError):
    """The image or the reference model changed after the baseline was recorded."""


class GoldenTaken(GoldenError):
    """The baseline of this image was recorded from, or is compared by, another reference than the one that asks."""


class GoldenCorrupt(GoldenError):
    """The file is damaged, foreign, or of a newer format."""


class LabelError(OcrParityError):
    """A label file cannot be used; the text names the file, the line, the value and the way out."""


class ResultError(OcrParityError):
    """Results that another program wrote cannot be used: missing, damaged, older than or of another image."""


class ReportError(OcrParityError):
    """The report cannot be written, or a results.json not be read."""


class Mistakes:
    """Gathers errors, so that all that is wrong is said at once.

    Attributes:
        texts: what they said, in order, each once.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self.texts: list[str] = []
        self._kind: type[SettingsError] = SettingsError

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """Take the error of this block, which ends there."""
        try:
            yield
        except OcrParityError as error:
            self.texts += [line for line in str(error).splitlines() if line not in self.texts]
            self._kind = OptionError if isinstance(error, OptionError) else self._kind

    def raise_any(self) -> None:
        """Raise what was gathered as one error, a line each.

        Raises:
            SettingsError: there was an error; an OptionError where one of them was.
        """
        if self.texts:
            raise self._kind("\n".join(self.texts))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the end of an error sentence about an unknown word: its nearest neighbour, else all that are known."""
    import difflib  # only errors need it, and every pytest run loads this module

    known = sorted(known)
    # text_det_thresh is thresh of another class, and further from it by letters than box_thresh.
    same_end = [each for each in known if each.endswith(f"_{word}") or word.endswith(f"_{each}")]
    close = sorted(same_end, key=lambda each: abs(len(each) - len(word))) or difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
