"""RapidOCR's detector on a user's ONNX file: its own class, tapped."""
