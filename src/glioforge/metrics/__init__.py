"""Numbers that judge masks and images, each with a unit, a direction and a written policy for empty cases."""
