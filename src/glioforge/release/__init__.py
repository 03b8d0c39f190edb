"""What leaves Glioforge for people and for other tools: data sets in their formats, without the input's metadata."""
