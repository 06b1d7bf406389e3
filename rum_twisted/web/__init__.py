"""What the network shows to those who are not on it: the status file for maps."""

from rum_twisted.web.whazzup import ServerIdentity, WhazzupFile, render

__all__ = ["ServerIdentity", "WhazzupFile", "render"]
