"""One segmenter a file; by existing, a file can be chosen by its name in any YAML."""
