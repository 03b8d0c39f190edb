"""Loss functions as plain functions of tensors."""
