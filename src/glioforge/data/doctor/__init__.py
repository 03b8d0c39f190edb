"""Looks at a folder of scans and says everything that is wrong or remarkable with it, at once."""
