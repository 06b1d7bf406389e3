"""One module at a time: no reactor, no socket, no sleep."""
