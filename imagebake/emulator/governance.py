"""What subscriptions are governed by: tags, locks, roles and policies, and what is only kept."""

from __future__ import annotations

from imagebake.emulator import locks, policies, roles, stored, tags

ROUTES = (*tags.ROUTES, *locks.ROUTES, *roles.ROUTES, *policies.ROUTES, *stored.ROUTES)
