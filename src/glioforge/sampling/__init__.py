"""Samplers: label maps and images from noise, learned from a cohort."""
