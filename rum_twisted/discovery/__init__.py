"""Who plays which service, and where: found out here, and told to others from here.

One `DiscoveryClient` lives as long as the process. It owns every connection to etcd,
keeps this process's own entry alive, and knows the instances of every service at any
moment without asking anybody. What it is built on is chosen by a setting: this process
alone, a fixed list, or etcd.

Importing this package, or anything that the chosen backend does not use, loads neither
grpc nor protobuf.
"""
