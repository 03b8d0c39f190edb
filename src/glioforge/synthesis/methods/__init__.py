"""The synthesizers, one a file; a file's name is the `kind` of its spec."""
