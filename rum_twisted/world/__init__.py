"""What would be true on paper, with no network: clients, airspace, plans, weather.

Standard library only; no clock, no socket, no Twisted. The world does not know
the wire: the two meet in `rum_twisted.session`.
"""
