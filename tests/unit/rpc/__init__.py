"""Tests of calls to services in other processes, without a network."""
