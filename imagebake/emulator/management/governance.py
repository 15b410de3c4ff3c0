"""What subscriptions are governed by: tags, locks, roles and policies, and what is only kept."""

from __future__ import annotations

from imagebake.emulator.management import generic_resources, locks, policies, roles, tags

ROUTES = (*tags.ROUTES, *locks.ROUTES, *roles.ROUTES, *policies.ROUTES, *generic_resources.ROUTES)
