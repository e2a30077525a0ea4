"""How fast the API takes requests in, against a bare echo of the same server in the same run."""
