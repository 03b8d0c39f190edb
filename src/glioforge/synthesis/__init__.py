"""Synthesizers: images from complete label maps, one method a file, and cohorts composed with them."""
