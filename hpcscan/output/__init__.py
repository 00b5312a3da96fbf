"""One run at one output: journal, resume, lock, log."""
