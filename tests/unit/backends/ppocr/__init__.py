"""Tests of `backends.ppocr`."""
