"""Tests of the field's nouns and units."""
