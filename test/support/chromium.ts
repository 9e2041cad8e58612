/** A real browser for tests of pages: the Chromium of the system, without a window. */
import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

const places: readonly string[] = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Starts it; whoever started it closes it. @throws Error when the system has none */
export function launchChromium(): Promise<Browser> {
  const executablePath = places.find((place) => existsSync(place));
  if (executablePath === undefined)
    throw new Error("Chromium is missing: install it (Debian: apt-get install chromium).");
  return chromium.launch({ executablePath, args: process.getuid?.() === 0 ? ["--no-sandbox"] : [] });
}
