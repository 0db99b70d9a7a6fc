"""Tests with the real paddle, paddleocr and PaddleOCR operators."""
