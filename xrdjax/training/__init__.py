"""Training: the loop, the compiled step, its state and optimizer."""
