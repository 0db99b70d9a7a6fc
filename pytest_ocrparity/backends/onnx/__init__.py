"""A bare `.onnx` file on ONNX Runtime, with the processing that PaddleOCR's own operators do around it."""
