"""What chi2 is: its terms, profiled scales, and the objective of the fit."""
