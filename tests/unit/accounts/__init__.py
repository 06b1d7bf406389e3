"""Tests of the account stores."""
