"""What Rum costs and how fast it is, beside other servers, on this machine.

Nothing here is part of the server. README.md says what there is and how to run it.
"""
