"""A detector behind HTTP on this machine, and the fixture by which a user's suite asks it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FIXTURE = """
import pytest
from urllib.request import Request, urlopen
from pytest_ocrparity import Trace

URL, SECONDS = "http://localhost:8080/detect", 10


class Service:
    def trace(self, image):
        try:
            with urlopen(Request(URL, image.read_bytes()), timeout=SECONDS) as answer:  # the bytes as they are
                return Trace.from_result(answer.read(), image=image, pipeline="service")
        except OSError as error:  # no answer in time, or a status such as 500: nothing is sent again
            pytest.fail(f"{URL} does not answer for {image}: {error}", pytrace=False)


@pytest.fixture(scope="session")
def ocr_inference_model():
    return Service()
"""
"""What the documentation shows."""

TEST = """
from pytest_ocrparity import assert_same_detections

def test_service(ocr_train_model, ocr_inference_model, ocr_image):
    assert_same_detections(ocr_train_model.trace(ocr_image), ocr_inference_model.trace(ocr_image))
"""


class Served:
    """What a server was sent, and where it listens."""

    def __init__(self, url: str) -> None:
        self.url, self.bodies = url, list[bytes]()

    def fixture(self, seconds: float = 10) -> str:
        """Return the fixture of the documentation that asks this server."""
        return FIXTURE.replace('"http://localhost:8080/detect", 10', f'"{self.url}", {seconds}')


@contextmanager
def serving(answer: Callable[[bytes], tuple[int, str, Any]]) -> Iterator[Served]:
    """Serve what `answer` makes of a body: a status, a content type, and a text or what is to be JSON."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            served.bodies.append(body)
            status, kind, content = answer(body)
            data = (content if isinstance(content, str) else json.dumps(content)).encode()
            try:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            except OSError:  # who asked has gone
                return

        def log_message(self, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Served(f"http://127.0.0.1:{server.server_address[1]}/detect")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
