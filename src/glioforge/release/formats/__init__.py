"""Formats of an export, one file each; a file that exists can be chosen by its name."""
