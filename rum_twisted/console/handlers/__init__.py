"""The commands by theme; `rum_twisted.console.commands` has the table of them."""
