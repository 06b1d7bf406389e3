"""Where the weather comes from: the sources of reports behind `IWeather`.

A source finds a station's report; what the report tells is read in
`rum_twisted.world.metar`, and what is answered is decided in `rum_twisted.session`.

Nothing is imported here: each process loads the source that it uses, and no other.
"""
