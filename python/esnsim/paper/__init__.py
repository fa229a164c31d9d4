"""The figures of the paper "Prune or quantize?", each run again by one command.

```text
python -m esnsim.paper figure4 --data DIR --scale small --start DIR --out DIR
```

A figure trains and quantizes what it needs, and goes on where it was stopped. It writes a page with the paper's claims beside what
was measured, pictures, and the raw rows. Nothing is imported here: the command loads PyTorch when it runs.
"""
