"""Tasks of an augmentation study: draws of subjects, sources of synthetic cases, arms."""
