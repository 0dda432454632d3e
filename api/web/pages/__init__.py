"""The pages, one file per screen. Each names its full path; none is in the OpenAPI document."""
