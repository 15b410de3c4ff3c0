"""Microsoft.Compute/galleries, their image definitions and versions."""
