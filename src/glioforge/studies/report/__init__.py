"""Reports: what a study says, as one file that can be read, printed and sent."""
