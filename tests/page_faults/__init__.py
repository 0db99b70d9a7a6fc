"""Faults of pages: of a detector, of a recogniser, and of what stands between them."""
