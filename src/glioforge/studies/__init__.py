"""Questions asked of cohorts, answered in one long results table and a report."""
