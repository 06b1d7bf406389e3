"""Messages of etcd's API, made by ``make generate`` from ``proto/etcd``."""
