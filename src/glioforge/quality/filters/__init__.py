"""One quality filter a file; a file here is a filter that any study can name."""
