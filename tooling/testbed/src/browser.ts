/**
 * A real browser: the Chromium at `PERDURE_TEST_CHROMIUM`, else one of this machine, else the package of a Debian or Ubuntu
 * system.
 */
import { type Browser, chromium } from "playwright-core";
import { findProgram } from "./programs.ts";

export type { Browser, Page as BrowserPage } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/**
 * Starts it without a window. It ends with `close()`, or with this process.
 *
 * @throws where there is none; the message names the command that mends it
 */
export async function startBrowser(): Promise<Browser> {
  const given = process.env.PERDURE_TEST_CHROMIUM;
  const executablePath = given ?? (await findProgram(NAMES, { package: "chromium" }));
  if (executablePath === undefined) {
    throw new Error(
      "There is no Chromium here. Do one of these: `apt-get install chromium`, or set PERDURE_TEST_CHROMIUM to the path of a " +
        "Chromium or Chrome.",
    );
  }
  // Root has no sandbox.
  return await chromium.launch({ executablePath, chromiumSandbox: process.getuid?.() !== 0 });
}
