"""The masses of the charged leptons as energies of spherical vortices."""
