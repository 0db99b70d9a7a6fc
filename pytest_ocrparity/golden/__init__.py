"""Baselines: the traces that `--ocr-golden` records and later runs compare with."""
