"""What the plugin costs, beside what people would use instead: `make bench`. Each figure is a ratio within one run."""
