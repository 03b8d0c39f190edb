"""Quality filters: which synthetic cases are fit to train on, judged against real training cases."""
