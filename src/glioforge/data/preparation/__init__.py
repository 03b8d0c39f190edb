"""Preparation: from cases as they come to a cohort on one grid, with complete label maps."""
