"""One file for each command; the only place where everything is wired together."""
