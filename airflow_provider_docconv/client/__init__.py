"""Carries the requests of the services over HTTP, with one session and one token per connection and process."""
