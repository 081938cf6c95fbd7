"""Stories that a host really plays, kind by kind: what one call gives, the next one needs."""
