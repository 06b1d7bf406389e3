"""Tests of the room that looks at the process itself."""
