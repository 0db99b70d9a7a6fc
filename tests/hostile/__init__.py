"""What a fuzz gives to each reader of files, and what must hold of it; names from hell."""
