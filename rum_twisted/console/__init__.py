"""The classic administration port: a prompt, for operators who live in it.

A line is cut in `lines`, a command found in `commands` and carried out by a handler,
by theme, in `handlers`; `protocol` alone knows the socket. What the console may ask of
the rest of the server stands in `interfaces`. With ``console.listen`` empty nothing of
this is loaded.
"""
