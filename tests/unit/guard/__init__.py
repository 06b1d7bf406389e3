"""The guard: ladders, figures, suspects, and what is done."""
