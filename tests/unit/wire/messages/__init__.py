"""Tests of the packets, one family at a time."""
