"""Building blocks of networks, each for two or three dimensions."""
