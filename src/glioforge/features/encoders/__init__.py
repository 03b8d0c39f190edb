"""Encoders, a file each, named after its kind: a network whose channels describe images, and its training."""
