"""Tests of the front: sockets, lines, and who gets which bytes when."""
