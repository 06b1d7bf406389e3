"""Real processes, ports and files."""
