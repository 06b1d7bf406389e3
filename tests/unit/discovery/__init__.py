"""Tests of `rum_twisted.discovery`, without a connection."""
