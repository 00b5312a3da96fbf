"""Why a minimum is the minimum: lower bounds of chi2."""
