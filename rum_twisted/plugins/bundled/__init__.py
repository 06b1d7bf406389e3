"""The plugins that Rum brings; each is in a module of its name."""
