"""Recipes: what one training step does, one objective a file."""
