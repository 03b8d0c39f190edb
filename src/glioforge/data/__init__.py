"""Phantoms, preparation and storage of cases, and the batches that training reads."""
