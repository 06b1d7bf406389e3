"""Tests of bytes and messages, with equality alone."""
