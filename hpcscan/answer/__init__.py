"""The answer of a scan: best fit, errors, intervals and contours, all found by fits."""
