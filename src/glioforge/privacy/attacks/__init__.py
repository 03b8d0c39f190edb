"""One attack a file; each states what its attacker holds."""
