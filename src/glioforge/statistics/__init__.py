"""Tests, intervals and power for comparisons made on the same subjects."""
