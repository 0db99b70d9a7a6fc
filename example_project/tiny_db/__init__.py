"""A text detector small enough to live in a repository: the DB network of the example."""
