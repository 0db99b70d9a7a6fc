"""The parts of RapidOCR's sides that need no RapidOCR."""
