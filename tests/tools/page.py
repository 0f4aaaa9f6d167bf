# SPDX-License-Identifier: ISC
"""Pages in a headless Chromium: how they look, and that they load nothing and run no script."""

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

# What a page's scripts and loads leave behind is seen here, or the browser says it.
LOOK = """<script>
function look(frame) {
  const page = frame.contentDocument, width = page.documentElement.clientWidth, wrong = [];
  const found = (what, e) => wrong.push(what + ': ' + e.outerHTML.slice(0, 80));
  for (const e of page.querySelectorAll('body, body *')) {
    const r = e.getBoundingClientRect();
    if (!e.closest('svg') && (r.right > width + 1 || r.left < -1)) found('overflows', e);
  }
  if (page.documentElement.scrollWidth > width) wrong.push('scrolls sideways');
  const plots = [...page.querySelectorAll('svg')].filter(e => e.getBoundingClientRect().width > 0);
  for (const e of plots) {
    const r = e.getBoundingClientRect();
    if (r.width < 200 || r.height < 100 || r.right > width) found('a small or wide plot', e);
  }
  const alive = 'script, iframe, img, object, [onerror], [onload]';
  for (const e of page.querySelectorAll(alive)) found('alive', e);
  const asked = frame.contentWindow.performance.getEntriesByType('resource');
  for (const e of asked) wrong.push('it asked for ' + e.name);
  return {wrong, plots: plots.length, title: page.title, text: page.body.innerText};
}
onload = () => {
  const pages = [...document.querySelectorAll('iframe')].map(look);
  document.body.textContent = JSON.stringify(pages);
};
</script><body>"""


@contextlib.contextmanager
def serving(folder):
    """The address of an HTTP server: local files that a page asks for would not be told."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def looks(folder, names, widths):
    """Of each page and width, (NAME, WIDTH): what is wrong, the plots, the title and the text."""
    frame = '<iframe src="/{}" width="{}" height="900" frameborder="0"></iframe>'
    frames = list(itertools.product(names, widths))
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as profile:
        wrapper = pathlib.Path(profile, "frames.html")
        wrapper.write_text(LOOK + "".join(itertools.starmap(frame.format, frames)), "ascii")
        with serving(folder) as address:
            command = [*CHROMIUM, f"--user-data-dir={profile}"]
            command.append(f"{address}/{wrapper.relative_to(folder)}")
            env = {**os.environ, "TMPDIR": profile}
            done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=50)
    assert ":CONSOLE" not in done.stderr, done.stderr  # a script, or a load that was not allowed
    seen = re.search("<body>(.*)</body>", done.stdout, re.DOTALL)
    return dict(zip(frames, json.loads(html.unescape(seen[1]))))
