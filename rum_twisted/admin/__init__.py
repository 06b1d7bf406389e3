"""See every byte: who holds memory, what the heap is made of, what blocks the reactor.

Rooms below tell of themselves (`rum_twisted.terms.measure`) and know nothing of this
one; `assembly` puts them on the list of owners. Everything here is bounded, and cheap
enough to run always.
"""
