"""One run with eight other plugins active; collected only when it is named."""
