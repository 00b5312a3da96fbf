"""Levels, intervals and contours of a sampled Δχ²: numpy alone, and no notion of a fit or a file."""
