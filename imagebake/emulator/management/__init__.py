"""Azure Resource Manager's own providers, identities, roles, quotas and generic resources."""
