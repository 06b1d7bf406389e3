"""Tests of one connection's conversation."""
