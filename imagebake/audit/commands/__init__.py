"""The tasks `debt` and `import`."""
