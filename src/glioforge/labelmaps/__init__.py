"""Endless label maps for training: hosts, lesions, placement, mass effect and distractors."""
