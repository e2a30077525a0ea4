"""`clonepost run render`: make pictures and films of finished variations."""

import threading

import structlog

from clonepost.run.process import require_database, run_role, stop_when, tell_ready
from consumers.rendering.renderer import Renderer
from consumers.rendering.workers import Workers, render_into
from runtime.settings import Settings
from storage.asset_store import LocalFolder
from storage.connection import Database

_log = structlog.get_logger(__name__)


def main() -> None:
    """Run until SIGTERM or SIGINT. Where nothing is to be rendered it waits, so that it can always be started."""
    run_role("render", run)


def run(settings: Settings, stopping: threading.Event) -> None:
    """Render until `stopping` is set; what has begun is given back."""
    database_url, folder = require_database(settings), settings.assets_folder
    if folder is None or not settings.renders:
        _log.info("rendering_is_off", fix="set CLONEPOST_ASSETS_FOLDER, and not CLONEPOST_RENDER=false")
        tell_ready(settings)
        stopping.wait()
        return
    workers = Workers(
        render_into,
        folder,
        processes=settings.render_processes,
        seconds=settings.render_seconds,
        memory_mb=settings.render_memory_mb,
    )
    renderer = Renderer(
        Database(database_url, application_name="clonepost-render"),
        LocalFolder(folder),
        workers,
        processes=settings.render_processes,
        lease_seconds=settings.lease_seconds,
        sweep_seconds=settings.sweep_seconds,
    )
    stop_when(stopping, renderer.stop)
    tell_ready(settings)
    renderer.run()
