"""The web console: pages drawn on the server, over the same functions as the API's routes."""
