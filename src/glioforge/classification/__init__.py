"""Classify slices - tumour or none - and subjects - high or low grade - as a second test of synthetic data."""
