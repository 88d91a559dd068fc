"""Measures how well the generator itself keeps up."""
