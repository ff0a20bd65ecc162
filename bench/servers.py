"""The DICOM servers that `bench/receive.py` sends to, each as a command in a folder of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

NAGLE_OFF = {**os.environ, "TCP_NODELAY": "1"}  # dcmtk and Orthanc stall at 16 images/s without
SYNCING = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>
int fclose(FILE *file) {
  int (*real)(FILE *) = dlsym(RTLD_NEXT, "fclose");
  if (fflush(file) == 0) fsync(fileno(file));
  return real(file);
}
"""
"""Loaded before a program, it makes durable what is closed, as far as that can be synced."""


def msnode(folder: Path, port: int) -> list[str]:
    """Our listener with its inbox on SQLite."""
    return [sys.executable, "-m", "bench.receive", "--listen", str(folder), str(port)]


def pynetdicom(folder: Path, port: int) -> list[str]:
    """An application entity of pynetdicom, without an index."""
    return [sys.executable, "-m", "bench.receive", "--reactor", str(folder), str(port)]


def orthanc(folder: Path, port: int) -> list[str]:
    """Orthanc as Debian installs it: SQLite index, storage area fsynced."""
    settings = {
        "StorageDirectory": str(folder),
        "IndexDirectory": str(folder),
        "DicomAet": "MSNODE",
        "DicomPort": port,
        "HttpServerEnabled": False,
        "SyncStorageArea": True,
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    return ["Orthanc", str(folder / "orthanc.json")]


def storescp(folder: Path, port: int) -> list[str]:
    """dcmtk's: a process an association, no fsync, no index."""
    return ["/usr/bin/storescp", "--fork", "-aet", "MSNODE", "-pm", "-od", str(folder), str(port)]


def storescp_fsync(folder: Path, port: int) -> list[str]:
    """The same, with files that are fsynced as they are closed."""
    source, library = folder.parent / "syncing.c", folder.parent / "syncing.so"
    if not library.exists():
        source.write_text(SYNCING)
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return ["env", f"LD_PRELOAD={library}", *storescp(folder, port)]


SERVERS: dict[str, Callable[[Path, int], list[str]]] = {
    "msnode": msnode,
    "Orthanc": orthanc,
    "pynetdicom (no index)": pynetdicom,
    "storescp + fsync": storescp_fsync,
    "storescp (no fsync)": storescp,
}
