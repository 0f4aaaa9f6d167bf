# SPDX-License-Identifier: ISC
"""page.py FILE... WIDTH... - pages in a headless Chromium, spoken to over a pipe: of each, what is wrong with
how it looks at these widths is said, a line each, and then its text. Nothing may be loaded, no script run.
"""

import json
import os
import subprocess
import sys
import tempfile

LOOKS_AT = """(() => {
  const wrong = [], width = document.documentElement.clientWidth;
  for (const e of document.querySelectorAll('body, body *')) {
    const r = e.getBoundingClientRect();
    if (!e.closest('svg') && (r.right > width + 1 || r.left < -1)) wrong.push('overflows: ' + e.outerHTML.slice(0, 80));
  }
  if (document.documentElement.scrollWidth > width) wrong.push('scrolls sideways');
  const plots = [...document.querySelectorAll('svg')].map(e => e.getBoundingClientRect()).filter(r => r.width > 0);
  for (const r of plots) if (r.width < 200 || r.height < 100 || r.right > width) wrong.push('a plot of ' + r.width + ' x ' + r.height);
  for (const e of document.querySelectorAll('script, iframe, img, object, [onerror], [onload]')) wrong.push('alive: ' + e.outerHTML.slice(0, 80));
  return {wrong, plots: plots.length, title: document.title, text: document.body.innerText};
})()"""


class Browser:
    def __init__(self, profile):
        to_it, self.to = os.pipe()
        self.of, from_it = os.pipe()

        def place():
            os.dup2(to_it, 63)
            os.dup2(from_it, 64)
            os.dup2(63, 3)
            os.dup2(64, 4)

        self.process = subprocess.Popen(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
            + ["--disable-background-networking", "--remote-debugging-pipe", f"--user-data-dir={profile}"],
            preexec_fn=place,
            close_fds=False,
            env={**os.environ, "TMPDIR": profile},
            stderr=subprocess.DEVNULL,
        )
        os.close(to_it)
        os.close(from_it)
        self.buffer, self.number, self.session, self.events = b"", 0, None, []

    def read(self):
        while b"\0" not in self.buffer:
            some = os.read(self.of, 1 << 16)
            if not some:
                sys.exit("chromium has gone")
            self.buffer += some
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def ask(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while (answer := self.read()).get("id") != self.number:
            self.events.append(answer)
        if "error" in answer:
            sys.exit(f"{method}: {answer['error']}")
        return answer["result"]

    def wait(self, method):
        while method not in [event.get("method") for event in self.events]:
            self.events.append(self.read())


def look(browser, path, widths):
    browser.session = None
    target = browser.ask("Target.createTarget", url="about:blank")["targetId"]
    browser.session = browser.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for domain in "Page", "Runtime", "Log", "Network":
        browser.ask(domain + ".enable")
    browser.events = []
    url = "file://" + os.path.realpath(path)
    browser.ask("Page.navigate", url=url)
    browser.wait("Page.loadEventFired")
    print("page:", path)
    for width in widths:
        browser.ask("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        seen = browser.ask("Runtime.evaluate", expression=LOOKS_AT, returnByValue=True)["result"]["value"]
        for what in seen["wrong"]:
            print(f"wrong at {width}: {what}")
        print(f"plots at {width}: {seen['plots']}")
    for event in browser.events:
        if event["method"] in ("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
            print("wrong:", json.dumps(event["params"])[:300])
        if event["method"] == "Network.requestWillBeSent":
            asked = event["params"]["request"]["url"]
            if asked not in (url, "data:,"):
                print("wrong: it asked for", asked)
    print("title:", seen["title"])
    print(seen["text"])


def main(arguments):
    widths = [int(word) for word in arguments if word.isdigit()]
    folder = os.path.dirname(os.path.realpath(arguments[0]))
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as profile:
        browser = Browser(profile)
        for path in arguments[: -len(widths)]:
            look(browser, path, widths)
        browser.session = None
        browser.ask("Browser.close")  # a killed one leaves files and processes
        browser.process.wait()


main(sys.argv[1:])
