"""Dataset layouts, one file each; a layout exists by its file here."""
