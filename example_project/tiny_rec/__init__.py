"""A text recogniser small enough to live in a repository: the CTC network of the example."""
