"""What is of the repository and of no module: its architecture, its README, its benchmarks."""
