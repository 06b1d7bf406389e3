"""The code of the contracts in ``proto/rum/v1``; made by ``make generate``.

Nothing here is edited by hand, and nothing above `rum_twisted.rpc` imports it.
"""
