"""Toys: levels of Δχ² that cover what they claim, from simulated data (Feldman and Cousins)."""
