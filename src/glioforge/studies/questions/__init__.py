"""The questions that studies ask, one file each, found by its name (see `studies.question`)."""
