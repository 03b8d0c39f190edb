"""The built-in phantom: brain-tumour cohorts computed from an atlas and physics, without any patient."""
