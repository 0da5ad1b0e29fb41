"""Secrets that a search finds in whatever they leak into."""

CLIENT_SECRET = "secret-of-the-client-7Qm4"
DOCUMENT_PASSWORD = "password-of-the-deck-9Zk2"
