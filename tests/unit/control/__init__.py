"""Tests of the operator's way into a running server."""
