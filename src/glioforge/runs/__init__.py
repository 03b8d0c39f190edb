"""Verbs of the command line as functions: train, segment, synthesize, evaluate, diagnose."""
