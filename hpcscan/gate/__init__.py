"""Criteria that a scan has to meet before a number is quoted."""
