"""The whole set of processes on one machine, from etc/compose.yml, without containers.

`compose` reads the file, `machine` says what of it becomes of this machine, `groups`
puts limits on it, and `supervisor` keeps it alive. `main` has the commands behind
``make stack``. Nothing of the server is imported here but its words and one question of
gRPC's: the supervisor is small, and no part of what it watches.
"""
