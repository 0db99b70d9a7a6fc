"""The training side: PaddleOCR's operators, its network and its post-process, from a training YAML file."""
