"""Domain types and protocols: plain Python and numpy, no framework."""
