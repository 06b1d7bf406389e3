"""Tests of what other tests lean on."""
