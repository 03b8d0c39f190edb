"""Edits of the lesion in a complete label map: drawn, recorded, replayable."""
