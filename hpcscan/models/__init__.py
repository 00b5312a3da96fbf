"""The models that are built in."""
