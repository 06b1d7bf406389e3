"""Tests of the room `rum_twisted.stack`."""
