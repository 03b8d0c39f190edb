"""Numbers about two sets of cases: distances, shares and tests, none of which belongs to one case."""
