"""Decoded packets, one module a family; what each looks like is in docs/protocol.md."""
