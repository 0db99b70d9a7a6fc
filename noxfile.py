"""The versions at both ends: `nox`, or `nox -s oldest`. The middle is `make test`.

`oldest` and `newest` work on a copy of the repository, since a program that a newer paddle wrote does not load in an
older one: the example is exported and its baselines are recorded anew there. The others run without paddle, on the toy
detector: `pytests` against pytest and xdist alone, `sdist` what a source distribution holds, `dist` what a release is
made of.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv"  # pip takes many minutes over what the oldest versions ask of each other
# What can be installed together: paddleocr 3.0 needs a numpy before 1.26.
OLDEST = {
    "paddleocr": "3.1.0",
    "paddlex": "3.1.*",
    "paddlepaddle": "3.0.0",
    "pytest": "8.0.*",
    "numpy": "1.26.*",
    "shapely": "2.0.*",
    "Jinja2": "3.1.0",
    "msgspec": "0.19.*",
    "pillow": "10.1.*",
    "rapidfuzz": "3.0.*",
    "scipy": "1.11.*",
    "zstandard": "0.22.*",
    "setuptools": "75.*",  # paddle 3.0 imports it and does not ask for it
}
RECOGNISER = "en_PP-OCRv5_mobile_rec", "PP-OCRv5_mobile_rec"
"""PaddleX's name of the example's recogniser, and one that paddlex 3.1 knows."""
TOOLS = ("hypothesis", "jsonschema", "pytest-rerunfailures")
TOY = tuple(f"tests/integration/test_{name}.py" for name in ("passes", "command", "report", "init", "fix"))
WITHOUT_PADDLE = ("tests", *(f"--ignore=tests/{name}" for name in ("real", "faults", "page_faults", "layers")))


@nox.session(python="3.10")
def oldest(session: nox.Session) -> None:
    """The oldest version of everything."""
    check(session, [f"{name}=={version}" for name, version in OLDEST.items()], RECOGNISER)


@nox.session(python="3.13")
def newest(session: nox.Session) -> None:
    """The newest version of everything."""
    check(session, ["onnxruntime"])


@nox.session(python="3.13")  # the newest numpy is not for older ones, and not for paddlex
@nox.parametrize(
    "packages", [("pytest==8.0.*", "pytest-xdist==3.5.*"), ("pytest", "pytest-xdist")], ["oldest", "newest"]
)
def pytests(session: nox.Session, packages: tuple[str, ...]) -> None:
    """The oldest and the newest pytest and xdist, with the newest of all else."""
    session.install(".", *packages, *TOOLS)
    session.run("uv", "pip", "freeze", external=True)
    session.run("python", "-m", "pytest", "-q", "-n", "2", *WITHOUT_PADDLE, *session.posargs)


@nox.session
def sdist(session: nox.Session) -> None:
    """The source distribution passes its own tests where it is unpacked."""
    with tempfile.TemporaryDirectory() as folder:
        session.run("uv", "build", "--sdist", "--out-dir", folder, external=True)
        (archive,) = Path(folder).glob("*.tar.gz")
        shutil.unpack_archive(archive, folder, filter="data")
        session.chdir(Path(folder) / archive.name.removesuffix(".tar.gz"))
        session.install(".[xdist]", *TOOLS)
        session.run("python", "-m", "pytest", "-q", "-n", "2", *WITHOUT_PADDLE, *session.posargs)


@nox.session
def dist(session: nox.Session) -> None:
    """Build both distributions into dist/, check them, and run tests of the toy on the wheel in a clean environment."""
    folder = Path("dist").resolve()
    shutil.rmtree(folder, ignore_errors=True)
    session.run("uv", "build", "--out-dir", str(folder), external=True)
    (wheel,), (archive,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    session.install("twine")
    session.run("twine", "check", "--strict", str(wheel), str(archive))
    session.run("uvx", "cffconvert", "--validate", "--infile", "CITATION.cff", external=True)
    with tempfile.TemporaryDirectory() as place:
        shutil.unpack_archive(archive, place, filter="data")
        tree = Path(place) / archive.name.removesuffix(".tar.gz")
        shutil.rmtree(tree / "pytest_ocrparity")  # the wheel's is tested
        session.install(f"{wheel}[xdist]", *TOOLS)
        session.chdir(tree)
        session.run("python", "-m", "pytest_ocrparity", "--help")
        session.run("python", "-m", "pytest", "-q", *TOY, *session.posargs)


def check(session: nox.Session, packages: list[str], renamed: tuple[str, str] = ("", "")) -> None:
    """Install, export and record the example anew, its recogniser by another name, run its gate and these tests."""
    with tempfile.TemporaryDirectory() as folder:  # not below the repository, whose settings pytest would find there
        root = Path(folder).resolve()
        tracked = subprocess.run(["git", "ls-files", "-z"], capture_output=True, check=True, text=True).stdout
        for name in filter(None, tracked.split("\0")):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(name, root / name)
        session.chdir(root)
        session.install(".[train,xdist]", *packages, *TOOLS)
        operators = root / ".venv" / "paddleocr-2.10"
        session.install("--no-deps", "--target", str(operators), "paddleocr==2.10.0")
        session.run("uv", "pip", "freeze", external=True)
        recogniser = root / "example_project" / "configs" / "tiny_rec.yml"
        recogniser.write_text(recogniser.read_text().replace(*renamed))
        session.run("python", "-m", "example_project.export")
        session.run("python", "-m", "example_project.export", "--config", "example_project/configs/tiny_rec.yml")
        session.chdir(root / "example_project")
        session.run("python", "-m", "pytest", "-q", "-k", "baseline", "--ocr-golden", "--ocr-golden-mode=all")
        session.run("python", "-m", "pytest", "-q")
        session.chdir(root)
        session.run("python", "-m", "pytest", "-q", "-n", "2", *(session.posargs or ["tests"]))
