"""Glioforge: synthetic brain-tumour MRI with labels, and honest numbers about it."""
