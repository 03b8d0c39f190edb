"""Segmenters: train one, load one, label cases with it, judge masks against a cohort."""
