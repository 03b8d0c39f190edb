"""Files: NIfTI, dataset layouts, cohorts, run folders and tables."""
