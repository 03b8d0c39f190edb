"""Ways of mixing, one file each."""
