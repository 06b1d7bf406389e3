"""The settings become a tree of services; the only room that joins the others.

::

    rum               RumService, a MultiService: the operator's first words
    ├── admin         looks at all others
    ├── discovery     who plays what elsewhere, if anybody does
    ├── clients       the ways to them
    ├── accounts      who may log on
    ├── …             what a database of accounts needs besides
    ├── weather       METARs
    ├── server        where other processes call this one, if they may
    ├── whazzup       the status file, if it is wanted
    ├── control       rumctl's way in, if it is wanted
    ├── pergola       the FSD front
    ├── weather profiles, console  the classic administration port, if it is wanted
    ├── listing       tells other processes what this one plays
    └── systemd       tells systemd of us, if it waits for that

Each is found with ``getServiceNamed``. They start in this order: nobody is let in
before the accounts are there. They stop one after the other in the opposite one, each
when the one before has ended: the status file is written for the last time when
everybody has left, and who left is in the logbook before that is closed.

What a configuration does not use is not imported: modules that load a large library
are imported by the function that needs them.
"""

from rum_twisted.assembly.root import RumService
from rum_twisted.assembly.services import build_services, check_fabric

__all__ = ["RumService", "build_services", "check_fabric"]
