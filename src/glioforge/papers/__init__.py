"""The five papers that Glioforge's methods come from: their published numbers, beside those of studies after them."""
