"""Tests of the joints."""
