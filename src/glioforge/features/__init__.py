"""Extractors of image features: radiomics, a random convolution and an encoder trained in the project."""
