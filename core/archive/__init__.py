"""The archive: files written once, named by keys of our own, durable before anyone is told so."""
