"""The version of imagebake itself."""

VERSION = "0.1.0"
