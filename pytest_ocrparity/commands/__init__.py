"""The subcommands of `python -m pytest_ocrparity`. None of them runs a model."""
