"""The command line: parse, call the Python API, print. One file a verb."""
