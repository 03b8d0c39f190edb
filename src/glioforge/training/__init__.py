"""The training loop, its checkpoints, and recipes that compose losses and optimisers."""
