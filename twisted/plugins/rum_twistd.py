"""Tells twistd that there is a server called ``rum``; imports nothing of it."""

from twisted.application.service import ServiceMaker

rum = ServiceMaker(
    "rum", "rum_twisted.tap", "An FSD flight-simulation network server.", "rum"
)
