"""Figures of a scan; the only door to matplotlib, opened when figures are drawn."""
