"""The steps, one a file, each named after its number and what it brings."""
