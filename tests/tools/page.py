# SPDX-License-Identifier: ISC
"""Checks in a headless Chromium that pages fit their width, load nothing and run no script."""

import contextlib
import functools
import html
import http.server
import itertools
import json
import os
import pathlib
import re
import subprocess
import tempfile
import threading

CHROMIUM = """chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run
    --disable-background-networking --enable-logging=stderr --dump-dom""".split()

# Finds layout faults, elements that can run scripts, and loads. Chromium reports scripts and denied
# loads on its console.
INSPECT = """<script>
function inspect(frame) {
  const page = frame.contentDocument, width = page.documentElement.clientWidth, wrong = [];
  const found = (fault, e) => wrong.push(fault + ': ' + e.outerHTML.slice(0, 80));
  for (const e of page.querySelectorAll('body, body *')) {
    const r = e.getBoundingClientRect();
    if (!e.closest('svg') && (r.right > width + 1 || r.left < -1)) found('overflows', e);
  }
  if (page.documentElement.scrollWidth > width) wrong.push('scrolls sideways');
  const plots = [...page.querySelectorAll('svg')].filter(e => e.getBoundingClientRect().width > 0);
  for (const e of plots) {
    const r = e.getBoundingClientRect();
    if (r.width < 200 || r.height < 100 || r.right > width) found('plot too small or too wide', e);
  }
  const active = 'script, iframe, img, object, [onerror], [onload]';
  for (const e of page.querySelectorAll(active)) found('active element', e);
  const loads = frame.contentWindow.performance.getEntriesByType('resource');
  for (const e of loads) wrong.push('loads ' + e.name);
  return {wrong, plots: plots.length, title: page.title, text: page.body.innerText};
}
onload = () => {
  const pages = [...document.querySelectorAll('iframe')].map(inspect);
  document.body.textContent = JSON.stringify(pages);
};
</script><body>"""


@contextlib.contextmanager
def serving(folder):
    """Starts an HTTP server. Chromium does not report loads of a page that is a local file."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def inspect(folder, names, widths):
    """Returns {(NAME, WIDTH): faults, plots, title and text} for each page and width."""
    frame = '<iframe src="/{}" width="{}" height="900" frameborder="0"></iframe>'
    frames = list(itertools.product(names, widths))
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as profile:
        wrapper = pathlib.Path(profile, "frames.html")
        wrapper.write_text(INSPECT + "".join(itertools.starmap(frame.format, frames)), "ascii")
        with serving(folder) as address:
            command = [*CHROMIUM, f"--user-data-dir={profile}"]
            command.append(f"{address}/{wrapper.relative_to(folder)}")
            env = {**os.environ, "TMPDIR": profile}
            done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=50)
    assert ":CONSOLE" not in done.stderr, done.stderr
    body = re.search("<body>(.*)</body>", done.stdout, re.DOTALL)
    return dict(zip(frames, json.loads(html.unescape(body[1]))))
