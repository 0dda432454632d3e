"""Who looks at a page: whoever is signed in. The one place where the console asks."""

from api.auth import AnyCaller

PageCaller = AnyCaller
"""A caller by session, or by a bearer token as everywhere; a change needs the session's token."""
