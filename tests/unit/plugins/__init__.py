"""Tests of plugins: what they are told, and what they may cost."""
