"""Operators without int8 weights, one file for each kind."""
