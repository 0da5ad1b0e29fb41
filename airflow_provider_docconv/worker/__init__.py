"""What tasks do once they run. Operators import it only then, so that parsing a Dag file stays cheap."""
