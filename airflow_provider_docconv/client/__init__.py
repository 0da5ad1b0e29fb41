"""Carries the services' requests: one session and one token per connection and process."""
