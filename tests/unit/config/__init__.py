"""The settings: kinds of values, sources, and the example for operators."""
