"""What a finished scan means: gate, confidence, comparison, figures and tables; from the result file alone."""
