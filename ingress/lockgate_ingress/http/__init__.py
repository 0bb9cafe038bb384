"""The HTTP edge: bytes, headers and status codes. What they mean is decided in the modules above this package."""
