"""An export on OpenVINO, with the processing that PaddleX's own operators do around it."""
