"""Tests of what those outside the network are shown."""
