"""The subcommands of `python -m pytest_ocrparity`: `layers` runs both networks on an image, the others no model."""
