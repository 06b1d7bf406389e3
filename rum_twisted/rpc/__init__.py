"""Calls to services in other processes, over gRPC.

A role that another process plays is called through the interface it would have in
this one. This room has what lies between: channels, clients that choose among
instances and live through their failures, and the server's side. Who the instances
are is found out elsewhere.

Importing this package, or its `bridge`, loads no grpc.
"""
