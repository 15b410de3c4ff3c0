"""Readers of ARM templates, Bicep and Terraform, up to the values of their expressions."""
