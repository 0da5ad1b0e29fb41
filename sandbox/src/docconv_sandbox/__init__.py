"""
A local server that speaks the services' protocols and really converts, for demos and for anyone's tests.

It shares no code with the rest of the package: a protocol misread there must not pass its own tests here.
"""

from docconv_sandbox.background import Sandbox
from docconv_sandbox.echo import expected_result
from docconv_sandbox.settings import Settings

__all__ = ["Sandbox", "Settings", "expected_result"]
__version__ = "0.1.0"
