"""The field's nouns and units: what everybody else's sentences are made of.

Standard library only; no clock, no socket. A term is right from birth: its
constructor checks it, and nobody re-checks it downstream.
"""
