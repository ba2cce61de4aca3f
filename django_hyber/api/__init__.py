"""A REST API for other services, for projects that include its URLs. Needs the extra ``api``."""
