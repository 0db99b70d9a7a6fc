"""What takes minutes, and so is collected only when it is named."""
