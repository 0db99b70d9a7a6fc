"""RapidOCR's detector or recogniser on a user's ONNX file: its own class, tapped."""
