"""What tasks of studies do: train, synthesize, screen, segment, score."""
