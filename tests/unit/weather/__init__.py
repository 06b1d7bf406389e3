"""Tests of the sources of weather."""
