"""Mix real cases into new ones without a network: the cheap rivals that every generator must beat."""
