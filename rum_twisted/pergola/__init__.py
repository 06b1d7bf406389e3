"""The FSD front: sockets, lines, and who gets which bytes when."""
